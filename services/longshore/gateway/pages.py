"""What the gateway serves beside operations: what it is, whether it lives, whether it is ready, and what it measures."""

import asyncio
from collections.abc import Mapping
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from longshore.gateway import operations
from longshore.metrics import exposition
from longshore.rpc import errors, tls

HEALTH_TIMEOUT_S = 3.0
"""Whoever asks whether we are ready gives up after a few seconds itself."""

SERVING = "SERVING"
UNREACHABLE = "UNREACHABLE"

GREETING = """Longshore's gateway: Amazon ECS's API, as the tools that you have speak it.

  aws ecs list-clusters --endpoint-url http://{host}

  POST /         an operation (application/x-amz-json-1.1, X-Amz-Target)
  GET  /events   what happens, as server-sent events
  GET  /healthz  whether this process lives
  GET  /readyz   whether the components behind it do
  GET  /metrics  what it measures, for Prometheus
"""


class Pages:
    """Answers for people, probes and Prometheus."""

    def __init__(self, *, channels: Mapping[str, Any], shown: exposition.Sources, insecure: bool) -> None:
        """Prepare.

        Args:
            channels: to each component, by the name of its stub.
            shown: what is measured.
            insecure: whether the operator has said that anybody may see everything.
        """
        # Typing does not know the methods of this stub.
        self._health: dict[str, Any] = {name: health_pb2_grpc.HealthStub(channel) for name, channel in channels.items()}
        self._shown = shown
        self._insecure = insecure

    async def greeting(self, request: Request) -> Response:
        """What this is, for who opens it in a browser."""
        return PlainTextResponse(GREETING.format(host=request.headers.get("host", "127.0.0.1:8700")))

    async def healthz(self, _: Request) -> Response:
        """200 as long as the process serves at all: what is behind it is no reason to start it anew."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, _: Request) -> Response:
        """200 where every component serves, else 503; which are away in either."""
        names = tuple(self._health)
        states = await asyncio.gather(*(self._state(name) for name in names))
        ready = all(state == SERVING for state in states)
        body = {"status": "ok" if ready else "unavailable", "components": dict(zip(names, states, strict=True))}
        return JSONResponse(body, status_code=200 if ready else 503)

    async def metrics(self, request: Request) -> Response:
        """The page of metrics, for this machine; for others there is `--metrics-listen`, which knows who asks."""
        if not self._insecure and not (request.client and tls.is_loopback_host(request.client.host)):
            told = "Metrics are served here to this machine only; --metrics-listen serves them to others.\n"
            return PlainTextResponse(told, status_code=403)
        from longshore.metrics import prometheus_page  # only a process that shows a page pays for it

        page = await asyncio.to_thread(prometheus_page.rendered, self._shown)
        return Response(page, media_type=prometheus_page.CONTENT_TYPE)

    async def _state(self, name: str) -> str:
        """The health of a component's service, or that it is away."""
        asked = health_pb2.HealthCheckRequest(service=operations.SERVICES[name].full_name)
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT_S):
                answer = await self._health[name].Check(asked, timeout=HEALTH_TIMEOUT_S)
        except (errors.ServiceError, TimeoutError):
            return UNREACHABLE
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
