"""A component's gRPC server: listen, serve with health, reflection and the interceptor, and leave in the right order.

    async with loops.supervised() as supervisor:
        async with server.serving(config, [server.servicer(add_RegistryServiceServicer_to_server, mine)],
                                  supervisor=supervisor) as serving:
            supervisor.start("reaper", reaper.run)
            await serving.wait()

On the way out: health says NOT_SERVING, `draining` is set (watch streams end themselves), the server stops with grace; then the
supervisor's block cancels the loops, then the caller closes bus and database.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import grpc
import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from longshore.rpc import interception, loops, tls, transport

_log = structlog.get_logger(__name__)

S = TypeVar("S")

GRACE_S = 5.0
"""How long RPCs under way may finish after `draining`; then they are cancelled."""

LEAST_PING_INTERVAL_MS = transport.KEEPALIVE_INTERVAL_MS // 2
"""Pings of clients more frequent than this are an offence; ours come half as often."""

OPTIONS: tuple[tuple[str, int], ...] = (
    *transport.OPTIONS,
    ("grpc.http2.min_ping_interval_without_data_ms", LEAST_PING_INTERVAL_MS),
    # Two servers sharing a port by accident would each get half of the calls: bind exclusively, and fail loudly.
    ("grpc.so_reuseport", 0),
)


class ListenConfig(Protocol):
    """What a server needs of a component's configuration; `settings.Component` has it all."""

    @property
    def listen(self) -> str:
        """host:port; port 0 takes a free one."""

    @property
    def insecure(self) -> bool:
        """Listen beyond loopback without TLS."""

    @property
    def tls_cert_file(self) -> Path | None:
        """PEM file of the certificate."""

    @property
    def tls_key_file(self) -> Path | None:
        """PEM file of its key."""

    @property
    def tls_ca_file(self) -> Path | None:
        """PEM file of the authority of client certificates."""

    @property
    def region(self) -> str:
        """Region of callers who name none."""

    @property
    def any_region(self) -> bool:
        """Whether callers may name another one."""


class Running(Protocol):
    """Something that serves and can be asked to stop: `Serving`, and the gateway's."""

    @property
    def address(self) -> str:
        """host:port really bound."""

    def stop(self) -> None:
        """Ask for the end: `wait()` returns. May be called from a signal handler."""

    async def wait(self) -> None:
        """Return when asked to stop; raise as soon as it cannot go on."""


class BindError(Exception):
    """The address cannot be listened on. The message names it."""


class Registrar(Protocol):
    """The two methods of a gRPC server that generated registration functions call."""

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[Any]) -> None:
        """Take handlers of whole services."""

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Take handlers of single methods."""


DATABASE = "longshore.database"
EVENTS = "longshore.events"
"""Names under which the health service tells of what a component stands on, asked anew each time."""

Standing = Mapping[str, Callable[[], Awaitable[bool]]]
"""What a component stands on, by the names above: whether it can be reached now."""

STANDING_TIMEOUT_S = 1.0
"""What does not answer a look in this time is away, for whoever asks."""

Registration = Callable[[Registrar], None]


def servicer(add: Callable[[S, Any], None], implementation: S) -> Registration:
    """A registration by a generated `add_…Servicer_to_server`."""
    return lambda registrar: add(implementation, registrar)


def handlers(service: str, methods: Mapping[str, "grpc.RpcMethodHandler[Any, Any]"]) -> Registration:
    """A registration by hand, for methods whose messages pass as bytes: their (de)serializers are left out.

    After a servicer of the same service it replaces the methods that both have.

    Example:
        server.handlers("longshore.v1.AgentService", {"Session": grpc.stream_stream_rpc_method_handler(session)})
    """

    def register(registrar: Registrar) -> None:
        registrar.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, dict(methods)),))
        registrar.add_registered_method_handlers(service, methods)

    return register


class Serving:
    """A server that serves. Made by `serving()`."""

    def __init__(
        self,
        address: str,
        draining: asyncio.Event,
        supervisor: loops.Supervisor | None,
        healthy: health.aio.HealthServicer,
    ) -> None:
        self.address = address
        """host:port really bound."""
        self.draining = draining
        """Set when the server is about to stop: endless streams end then."""
        self._supervisor = supervisor
        self._health = healthy
        self._asked = asyncio.Event()

    def stop(self) -> None:
        """Ask for the end: `wait()` returns. May be called from a signal handler."""
        self._asked.set()

    async def wait(self) -> None:
        """Return when asked to stop; raise LoopFailedError as soon as a loop of the supervisor has ended or died."""
        if self._supervisor is None:
            await self._asked.wait()
            return
        asked = asyncio.ensure_future(self._asked.wait())
        failed = asyncio.ensure_future(self._supervisor.failed())
        try:
            await asyncio.wait((asked, failed), return_when=asyncio.FIRST_COMPLETED)
            if failed.done():
                await failed
        finally:
            asked.cancel()
            failed.cancel()
            await asyncio.gather(asked, failed, return_exceptions=True)

    async def set_health(self, service: str, *, healthy: bool) -> None:
        """Say that one service (full name, or empty for all) is or is not able to work. Without effect while draining."""
        state = health_pb2.HealthCheckResponse.SERVING if healthy else health_pb2.HealthCheckResponse.NOT_SERVING
        await self._health.set(service, state)


class _Health(health.aio.HealthServicer):
    """gRPC's own, that besides looks at what the component stands on when it is asked for that."""

    def __init__(self, standing: Standing) -> None:
        super().__init__()
        self._standing = standing

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - the RPC's name
        """Answer for a service, or for what this stands on."""
        look = self._standing.get(request.service)
        if look is None:
            return await super().Check(request, context)
        reached = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STANDING_TIMEOUT_S):
                reached = await look()
        statuses = health_pb2.HealthCheckResponse
        return statuses(status=statuses.SERVING if reached else statuses.NOT_SERVING)


@contextlib.asynccontextmanager
async def serving(
    config: ListenConfig,
    registrations: Sequence[Registration],
    *,
    supervisor: loops.Supervisor | None = None,
    draining: asyncio.Event | None = None,
    grace_s: float = GRACE_S,
    observe: interception.Observe | None = None,
    standing: Standing = MappingProxyType({}),
) -> AsyncIterator[Serving]:
    """Serve inside the block. Raises BindError or tls.TlsError before anything is served.

    `draining` lets servicers that were built before hold the event; otherwise take it from the result. `observe` is told of each RPC.
    `standing` is what the health service answers for beside the services.
    """
    address = parsed(config.listen)
    files = tls.Files(config.tls_cert_file, config.tls_key_file, config.tls_ca_file)
    tls.refuse_open_address(address, files, insecure=config.insecure)
    interceptor = interception.Interceptor(
        region=config.region, any_region=config.any_region, trusting=config.insecure, observe=observe
    )
    server = grpc.aio.server(interceptors=(interceptor,), options=OPTIONS)
    services = _register(server, registrations)
    healthy = _Health(standing)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    reflection.enable_server_reflection((*services, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    bound = _bind(server, address, files)
    await server.start()
    # A name of our own says which services are up; the empty name stands for the whole server.
    for name in ("", *services):
        await healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
    event = draining if draining is not None else asyncio.Event()
    running = Serving(str(bound), event, supervisor, healthy)
    _log.info("server_started", address=running.address, tls=bool(files), services=services)
    try:
        yield running
    finally:
        running.stop()
        await _leave(server, healthy, event, grace_s)
        _log.info("server_stopped", address=running.address)


async def until_signalled(running: Running) -> None:
    """Wait like `Running.wait()`, and take SIGTERM and SIGINT as being asked to stop. For a component's `__main__`."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, running.stop)
    try:
        await running.wait()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _leave(
    server: grpc.aio.Server, healthy: health.aio.HealthServicer, draining: asyncio.Event, grace_s: float
) -> None:
    """Stop in the documented order, to its end even when the task is cancelled meanwhile."""
    await healthy.enter_graceful_shutdown()
    draining.set()
    stopping = asyncio.ensure_future(server.stop(grace_s))
    try:
        await asyncio.shield(stopping)
    except asyncio.CancelledError:
        await server.stop(None)
        await stopping
        raise


def _register(server: grpc.aio.Server, registrations: Sequence[Registration]) -> tuple[str, ...]:
    """Run the registrations and return the names of the services, for reflection and health."""
    recorder = _Recorder(server)
    for register in registrations:
        register(recorder)
    return tuple(recorder.services)


class _Recorder:
    """Passes registrations on to the server and remembers the services' names."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server
        self.services: list[str] = []

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[Any]) -> None:
        """Take handlers of whole services."""
        taken = tuple(generic_rpc_handlers)
        for handler in taken:
            if isinstance(handler, grpc.ServiceRpcHandler):
                self._note(handler.service_name())
        self._server.add_generic_rpc_handlers(taken)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Take handlers of single methods."""
        self._note(service_name)
        self._server.add_registered_method_handlers(service_name, method_handlers)

    def _note(self, name: str) -> None:
        if name not in self.services:
            self.services.append(name)


def parsed(listen: str) -> tls.HostPort:
    """The address to listen on. Raises BindError for what is none."""
    try:
        return tls.HostPort.parse(listen)
    except ValueError as error:
        raise BindError(f"cannot listen: {error}") from error


def _bind(server: grpc.aio.Server, address: tls.HostPort, files: tls.Files) -> tls.HostPort:
    try:
        if files:
            port = server.add_secure_port(str(address), tls.server_credentials(files))
        else:
            port = server.add_insecure_port(str(address))
    except RuntimeError as error:
        raise BindError(
            f"cannot listen on {address}: the port is taken, or the address is not one of this machine's."
        ) from error
    return tls.HostPort(address.host, port)
