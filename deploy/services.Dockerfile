# Registry, scheduler, state-tracker, gateway and the longshore command. The wheels come from `scripts/wheels` (as in `make up`), so
# building needs no network and installs exactly the pinned versions.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
# pip stays outside: what is copied on holds Longshore and its dependencies alone.
RUN python -m venv /pip && python -m venv --without-pip /opt/longshore
COPY dist/wheels wheels
RUN /pip/bin/pip --python /opt/longshore/bin/python install --quiet --no-index --find-links wheels --no-deps \
      -r wheels/services.txt -r wheels/cli.txt
COPY dist/longshore-*.whl .
RUN /pip/bin/pip --python /opt/longshore/bin/python install --quiet --no-index --no-deps longshore-*.whl

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 8700 --home-dir /var/lib/longshore --create-home longshore
COPY --from=build /opt/longshore /opt/longshore
ENV PATH=/opt/longshore/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER longshore
WORKDIR /var/lib/longshore
EXPOSE 8700 8701 8702 8703
CMD ["longshore", "--help"]
