"""The ASGI application: operations straight to the answerer, everything else by Starlette's routes.

POST / is looked at before Starlette is: routing, a request object and a response object would cost as much as the rest of our
part in an answer.
"""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from starlette import routing
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from longshore.gateway import answering, pages, refusals, wire
from longshore.rpc import errors

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

OPERATIONS = "/"

_TOLD = "failure_told"
"""In a request's state: its failure is logged and answered."""


class Gateway:
    """The application."""

    def __init__(
        self,
        *,
        answerer: answering.Answerer,
        served: pages.Pages,
        others: Sequence[routing.BaseRoute] = (),
        new_id: Callable[[], str],
    ) -> None:
        """Prepare.

        Args:
            answerer: answers operations.
            served: the pages.
            others: more routes.
            new_id: makes ids of requests.
        """
        self._answerer = answerer
        self._new_id = new_id
        self._starlette = Starlette(
            routes=[
                routing.Route(OPERATIONS, served.greeting, methods=["GET"]),
                routing.Route("/healthz", served.healthz),
                routing.Route("/readyz", served.readyz),
                routing.Route("/metrics", served.metrics),
                *others,
            ],
            exception_handlers={
                HTTPException: self._http_refused,
                errors.ServiceError: self._refused,
                Exception: self._failed,
            },
        )
        self._starlette.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        begun = False

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._serve(scope, receive, noting)
        except Exception:  # noqa: BLE001 - the boundary of the request
            if scope["state"].get(_TOLD):
                return
            error = answering.failed("request_failed", path=wire.quoted(scope["path"]))
            if not begun:
                await respond(send, wire.refused(error, self._new_id()))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != OPERATIONS or scope["method"] != "POST":
            await self._starlette(scope, receive, send)
            return
        body = await read_body(receive)
        if body is not None:
            await respond(send, await self._answerer.answer(asked(scope, body)))

    async def _http_refused(self, request: Request, error: Exception) -> Response:
        """What Starlette refuses, in the form of everything else."""
        path, method = wire.quoted(request.url.path), request.method
        status = getattr(error, "status_code", 404)
        if status == 405:
            allowed = _allowed((getattr(error, "headers", None) or {}).get("Allow", ""), request.url.path)
            refusal: errors.ServiceError = refusals.MethodNotAllowedException(
                f"{path} is not served by {wire.quoted(method)}, but by {allowed}."
            )
            return self._response(refusal, {"allow": allowed})
        return self._response(refusals.NotFoundException(f"Nothing is served under {path}."))

    async def _refused(self, _: Request, error: Exception) -> Response:
        assert isinstance(error, errors.ServiceError)  # noqa: S101 - what it is registered for
        return self._response(error)

    async def _failed(self, request: Request, _: Exception) -> Response:
        # Starlette raises it again once this is answered.
        request.scope["state"][_TOLD] = True
        return self._response(answering.failed("page_failed", path=wire.quoted(request.url.path)))

    def _response(self, error: errors.ServiceError, headers: dict[str, str] | None = None) -> Response:
        answer = wire.refused(error, self._new_id())
        shown = {name.decode(): value.decode() for name, value in answer.headers()}
        return Response(answer.body, status_code=answer.status, headers=shown | (headers or {}))


def _allowed(methods: str, path: str) -> str:
    """The methods of a path, in a fixed order; Starlette's are a set, and know nothing of operations."""
    found = {method.strip() for method in methods.split(",")} | ({"POST"} if path == OPERATIONS else set())
    return ", ".join(sorted(filter(None, found)))


def asked(scope: Scope, body: bytes) -> wire.Request:
    """A request as plain data, from what ASGI says of it."""
    return wire.Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
        body=body,
    )


async def read_body(receive: Receive) -> bytes | None:
    """The whole body, which the connection bounds in size and time; None where the client has gone or was refused."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def respond(send: Send, answer: wire.Answer) -> None:
    """Send an answer."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers()})
    await send({"type": "http.response.body", "body": answer.body})
