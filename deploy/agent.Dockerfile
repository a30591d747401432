# The agent of one host: the interpreter, the agent, its dependencies, and nothing else (docs/design/agent-package.md). The wheels come
# from `scripts/wheels`. `make agent-image` packs what this builds into dist/longshore-agent-<version>.tar.gz.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY dist dist
COPY deploy/agent_rootfs.py .
RUN python agent_rootfs.py dist /image

FROM scratch
COPY --from=build /image /
ENV PATH=/usr/local/bin:/usr/bin \
    PYTHONPATH=/opt/longshore \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SSL_CERT_FILE=/opt/longshore/grpc/_cython/_credentials/roots.pem \
    LANG=C.UTF-8
# As root: it speaks to the host's Docker socket, which is as good as root on the host anyway.
VOLUME /var/lib/longshore
ENTRYPOINT ["python", "-m", "longshore.agent"]
