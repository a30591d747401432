"""The bus over Redis publish/subscribe: one connection that sends, one that hears for all subscribers of the process.

Redis may be away at any time. Publications are then dropped; subscribers are told that they may have missed something when it is
back, and read the log meanwhile.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import redis
import structlog
from redis import asyncio as redis_asyncio
from redis.asyncio import retry as redis_retry
from redis.backoff import NoBackoff

from longshore.events import inbox
from longshore.rpc import backoff, loops

CONNECT_TIMEOUT = 2.0
# A Redis that takes longer over a publication is treated as away: the log is then faster.
PUBLISH_TIMEOUT = 0.5
# How long a new subscriber waits to be heard of by Redis; after that it starts by reading the log, and is told when it is.
SUBSCRIBE_TIMEOUT = 1.0
# A connection that is silent for so long is asked whether it is still there, and given up when it is silent as long again.
PING_INTERVAL = 5.0
# Bounds of what waits to be sent: a fraction of a second's worth. Above them publications are dropped.
MAX_OUTGOING = 1_000
MAX_OUTGOING_BYTES = 32 * 1024 * 1024
# Pauses between attempts to reach Redis again. The first is short: a Redis that was restarted is back at once.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0

_AWAY = (redis.RedisError, OSError, TimeoutError)

_log = structlog.get_logger(__name__)


class RedisBus:
    """A bus through a Redis server that other processes share."""

    def __init__(self, url: str) -> None:
        """Start in the background; whether Redis is there shows later."""
        # The retries of the client would reconnect behind our back, and nobody would be told that something was missed.
        self._pool = redis_asyncio.ConnectionPool.from_url(
            url,
            protocol=2,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=CONNECT_TIMEOUT,
            retry=redis_retry.Retry(NoBackoff(), 0),
        )
        # Channels are shared by all databases of a server; the number keeps apart what uses two of them.
        self._prefix = f"longshore/{self._pool.connection_kwargs.get('db', 0)}/events/"
        self._outgoing: deque[tuple[str, bytes]] = deque()
        self._outgoing_bytes = 0
        self._to_send = asyncio.Event()
        self._away = False
        self._paused = False  # what is published in the pause after a failure is dropped
        self._idle = asyncio.Event()
        self._idle.set()
        self._channels: dict[str, _Channel] = {}
        self._wanted = asyncio.Event()
        self._hearing: Any = None
        self._tasks = loops.Supervisor()
        self._tasks.start("redis-send", self._send_forever)
        self._tasks.start("redis-hear", self._hear_forever)

    # ------------------------------------------------------------------------------------------------ sending

    async def publish(self, cluster: str, payload: bytes) -> None:
        """Queue the payload for sending; dropped while Redis is away or the queue is full."""
        if self._paused or len(self._outgoing) >= MAX_OUTGOING:
            return
        if self._outgoing_bytes + len(payload) > MAX_OUTGOING_BYTES:
            return
        self._outgoing.append((self._prefix + cluster, payload))
        self._outgoing_bytes += len(payload)
        self._idle.clear()
        self._to_send.set()

    async def _send_forever(self) -> None:
        client = redis_asyncio.Redis(connection_pool=self._pool)
        pauses = backoff.Backoff(first=FIRST_PAUSE, cap=LONGEST_PAUSE)
        while True:
            await self._to_send.wait()
            batch = list(self._outgoing)
            self._drop_outgoing()
            try:
                await _send(client, batch)
            except _AWAY as error:
                if not self._away:
                    _log.warning("events_not_published", error=str(error), error_reason=type(error).__name__)
                self._away = self._paused = True
                self._drop_outgoing()
                await pauses.sleep()
                self._paused = False
            else:
                if self._away:
                    _log.info("events_published_again")
                self._away = False
                pauses.reset()
            if not self._outgoing:
                self._idle.set()

    def _drop_outgoing(self) -> None:
        self._outgoing.clear()
        self._outgoing_bytes = 0
        self._to_send.clear()

    # ------------------------------------------------------------------------------------------------ hearing

    @contextlib.asynccontextmanager
    async def subscribe(self, cluster: str) -> AsyncIterator[inbox.Inbox]:
        """Hear what is published from now on, until the context is left. Does not wait for a Redis that is away."""
        name = self._prefix + cluster
        subscriber = inbox.Inbox()
        known = name in self._channels
        channel = self._channels.setdefault(name, _Channel())
        channel.inboxes.add(subscriber)
        self._wanted.set()
        try:
            if not known:
                await self._tell("SUBSCRIBE", name)
            if await loops.sleep_until_event(channel.confirmed, SUBSCRIBE_TIMEOUT):
                subscriber.begin()
            else:
                subscriber.miss()
            yield subscriber
        finally:
            channel.inboxes.discard(subscriber)
            if not channel.inboxes and self._channels.get(name) is channel:
                del self._channels[name]
                await self._tell("UNSUBSCRIBE", name)

    async def _tell(self, command: str, channel: str) -> None:
        if self._hearing is None:
            return  # the next connection subscribes to all that is wanted then
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await _command(self._hearing, command, channel)
        except _AWAY:
            return  # the hearing loop meets the same and begins again

    async def _hear_forever(self) -> None:
        pauses = backoff.Backoff(first=FIRST_PAUSE, cap=LONGEST_PAUSE)
        away = False
        while True:
            await self._wanted.wait()
            connection = self._pool.make_connection()  # type: ignore[no-untyped-call] # redis leaves it untyped
            try:
                await connection.connect()
                if away:
                    _log.info("events_heard_again")
                    away = False
                await self._hear(connection, pauses)
            except _AWAY as error:
                if not away:
                    _log.warning("events_not_heard", error=str(error), error_reason=type(error).__name__)
                away = True
            finally:
                self._hearing = None
                with contextlib.suppress(*_AWAY):
                    await connection.disconnect(nowait=True)
            for channel in self._channels.values():
                channel.lost()
            await pauses.sleep()

    async def _hear(self, connection: Any, pauses: backoff.Backoff) -> None:
        """Listen on one connection until it ends, which is always an error."""
        # From here on subscribers send their own SUBSCRIBE; one that is sent twice does no harm.
        self._hearing = connection
        await _command(connection, "SUBSCRIBE", self._prefix, *self._channels)
        asked = False
        while True:
            reply = await connection.read_response(timeout=PING_INTERVAL, disconnect_on_error=False)
            if reply is None:
                if asked:
                    raise redis.ConnectionError(f"Redis did not answer for {PING_INTERVAL:g} s")
                await _command(connection, "PING")
                asked = True
                continue
            asked = False
            pauses.reset()
            self._heard(reply)

    def _heard(self, reply: list[Any]) -> None:
        kind = bytes(reply[0])
        if kind not in {b"message", b"subscribe"}:
            return
        channel = self._channels.get(bytes(reply[1]).decode())
        if channel is None:
            return
        if kind == b"message":
            for subscriber in channel.inboxes:
                subscriber.offer(bytes(reply[2]))
        else:
            channel.confirm()

    async def reachable(self) -> bool:
        """Whether Redis answers a ping now."""
        client = redis_asyncio.Redis(connection_pool=self._pool)
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT):
                await client.ping()
        except _AWAY:
            return False
        return True

    async def close(self) -> None:
        """Send what is queued, for a moment, and close both connections."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PUBLISH_TIMEOUT):
                await self._idle.wait()
        await self._tasks.close()
        with contextlib.suppress(*_AWAY):
            await self._pool.disconnect()


class _Channel:
    """The subscribers of one cluster in this process, and whether Redis knows of them."""

    def __init__(self) -> None:
        self.inboxes: set[inbox.Inbox] = set()
        self.confirmed = asyncio.Event()

    def confirm(self) -> None:
        """Redis listens for us from here on; what came before may have been missed."""
        if not self.confirmed.is_set():
            self.confirmed.set()
            self._miss()

    def lost(self) -> None:
        """The connection is gone."""
        self.confirmed.clear()
        self._miss()

    def _miss(self) -> None:
        for subscriber in self.inboxes:
            subscriber.miss()


async def _command(connection: Any, *words: str) -> None:
    # A command on a broken connection would silently revive it, without its subscriptions.
    if not connection.is_connected:
        raise redis.ConnectionError("the connection to Redis was lost")
    await connection.send_command(*words)


async def _send(client: Any, batch: list[tuple[str, bytes]]) -> None:
    async with asyncio.timeout(PUBLISH_TIMEOUT):
        pipeline = client.pipeline(transaction=False)
        for channel, payload in batch:
            pipeline.publish(channel, payload)
        await pipeline.execute()
