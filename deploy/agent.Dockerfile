# The agent of one host: the base and the `agent` extra, nothing of the control plane. The wheels come from `scripts/wheels`
# (as in `make up`).
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
# pip stays outside: what is copied on holds Longshore and its dependencies alone.
RUN python -m venv /pip && python -m venv --without-pip /opt/longshore
COPY dist/wheels wheels
RUN /pip/bin/pip --python /opt/longshore/bin/python install --quiet --no-index --find-links wheels --no-deps \
      -r wheels/agent.txt
COPY dist/longshore-*.whl .
RUN /pip/bin/pip --python /opt/longshore/bin/python install --quiet --no-index --no-deps longshore-*.whl

FROM python:3.11-slim-bookworm
COPY --from=build /opt/longshore /opt/longshore
ENV PATH=/opt/longshore/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# As root: it speaks to the host's Docker socket, which is as good as root on the host anyway.
VOLUME /var/lib/longshore
CMD ["python", "-m", "longshore.agent"]
