"""Channels to a component: one address or a list of replicas, deadlines, caller metadata, errors with a name.

    async with channels.connect(("10.0.0.1:8702", "10.0.0.2:8702")) as channel:
        scheduler = SchedulerServiceStub(channel)
        answer = await scheduler.RunTask(request)      # raises errors.ServiceError, never grpc.aio.AioRpcError

A list of replicas is served by one of them, the same one as long as it is connected. A call goes out only on a connection that
stands: while none does, the replica last used is dialled, then all, and the first to answer is taken, so a replica that is away costs no call
and at most `replicas.FIND_TIMEOUT_S`. A call that was lost with its connection, or caught it in the moment of its end, is
`errors.Unavailable`, for the caller to repeat or not; the next one goes to another replica. So does one that is frozen (`silence`).
"""

import contextlib
import random
from collections.abc import AsyncIterator, Sequence

import grpc
import grpc.aio

from longshore.rpc import calls, replicas, tls, transport

DEFAULT_TIMEOUT_S = 30.0
"""Deadline of a unary call that names none: above a change of leader, below a person's patience."""

CONNECT_TIMEOUT_S = 3.0
"""How long one attempt to connect may take, handshakes included."""

FIRST_RECONNECT_MS = 100
LONGEST_RECONNECT_MS = 1_000
"""Pauses between attempts to connect: a component that restarts is found again within about a second."""

OPTIONS: tuple[tuple[str, int], ...] = (
    *transport.OPTIONS,
    ("grpc.initial_reconnect_backoff_ms", FIRST_RECONNECT_MS),
    ("grpc.max_reconnect_backoff_ms", LONGEST_RECONNECT_MS),
    # Despite its name this bounds an attempt to connect.
    ("grpc.min_reconnect_backoff_ms", int(CONNECT_TIMEOUT_S * 1000)),
    # Not through a proxy of the environment: components are neighbours.
    ("grpc.enable_http_proxy", 0),
    # Channels of one process must not share connections, or closing one would tell nothing about the other.
    ("grpc.use_local_subchannel_pool", 1),
)


def split(addresses: str | Sequence[str]) -> tuple[str, ...]:
    """The addresses of a comma-separated list (or of a sequence). Raises ValueError for what is not host:port."""
    parts = addresses.split(",") if isinstance(addresses, str) else addresses
    found = tuple(str(tls.HostPort.parse(part)) for part in parts if part.strip())
    if not found:
        raise ValueError("no address given")
    return found


@contextlib.asynccontextmanager
async def connect(
    addresses: str | Sequence[str],
    *,
    files: tls.Files | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    metadata: Sequence[tuple[str, str]] = (),
    shuffle: random.Random | None = None,
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel for generated stubs, closed at the end of the block. Nothing is sent before the first call.

    Args:
        addresses: host:port, a comma list of them, or a sequence of them: replicas of one component.
        files: TLS, where any of them is set.
        timeout_s: deadline of unary calls that name none. Streams have none unless they name one.
        metadata: sent with every call, before that of the caller.
        shuffle: source to shuffle the replicas with, so that many clients spread over them; None keeps their order.
    """
    ordered = list(split(addresses))
    if shuffle is not None:
        shuffle.shuffle(ordered)
    credentials = tls.channel_credentials(files) if files else None
    channel = calls.NamedErrorChannel(
        replicas.Replicas(ordered, lambda address: _dial(address, credentials)),
        timeout_s=timeout_s,
        metadata=tuple(metadata),
    )
    try:
        yield channel
    finally:
        await channel.close()


def _dial(address: str, credentials: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=OPTIONS)
    return grpc.aio.secure_channel(address, credentials, options=OPTIONS)
