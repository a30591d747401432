"""What a stream holds of the log while its client does not read, and what it leaves behind."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest

from longshore.client import client as clients
from longshore.gateway import authentication, events, metrics
from longshore.rpc import caller, errors
from longshore.v1 import event_pb2, options_pb2

BOUND_S = 5.0
SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/events",
    "raw_path": b"/events",
    "query_string": b"cluster=web",
    "headers": [(b"host", b"127.0.0.1")],
}


class Log:
    """A log that is always one event ahead of whoever reads it."""

    def __init__(self, fails: errors.ServiceError | None = None) -> None:
        self.read = 0
        self.closed = False
        self.callers: set[str] = set()
        self._fails = fails

    async def watch(self, **_: Any) -> AsyncIterator[clients.Batch]:
        """Batches of one event, without end, or until it fails."""
        try:
            yield clients.Batch("start", ())
            while True:
                self.callers.add(caller.current().principal)
                self.read += 1
                yield clients.Batch(f"c{self.read}", (event_pb2.Event(sequence=self.read),))
                if self._fails:
                    raise self._fails
                await asyncio.sleep(0)
        finally:
            self.closed = True


class Everybody:
    """Lets everybody in."""

    async def authenticate(self, _: object) -> authentication.Identity:
        """The identity of anybody."""
        return authentication.Identity("access-key:K", options_pb2.ROLE_READ_ONLY, "us-east-1")

    async def still(self, _: object) -> bool:
        """Always."""
        return True


class Browser:
    """The other side, as ASGI shows it: reads as many pieces as it is told, and hangs up when it is told."""

    def __init__(self, reads: int) -> None:
        self.got: list[MutableMapping[str, Any]] = []
        self.stuck = asyncio.Event()
        self.reading = asyncio.Event()
        self._reads = reads
        self._asked = False
        self.gone = asyncio.Event()

    async def receive(self) -> MutableMapping[str, Any]:
        """The request, then the end."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take a message in, or leave it where it is."""
        if len(self.got) >= self._reads:
            self.stuck.set()
            await self.reading.wait()
        self.got.append(message)


def serving(log: Log, draining: asyncio.Event, measured: metrics.Metrics) -> events.Events:
    """A gateway's streams over this log."""
    client: Any = log
    authenticator: Any = Everybody()
    return events.Events(
        client=client,
        authenticator=authenticator,
        account="123456789012",
        measured=measured,
        draining=draining,
        new_id=lambda: "request",
        heartbeat_s=0.001,
    )


async def test_a_client_that_does_not_read_holds_up_the_log_and_nothing_gathers() -> None:
    log, browser, measured = Log(), Browser(reads=6), metrics.Metrics()
    async with asyncio.timeout(BOUND_S), asyncio.TaskGroup() as group:
        group.create_task(serving(log, asyncio.Event(), measured)(SCOPE, browser.receive, browser.send))
        await browser.stuck.wait()
        read = log.read
        for _ in range(1000):  # the log would hand out as many
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)  # and heartbeats would have been due
        assert log.read == read <= 6
        assert len(browser.got) == 6
        browser.gone.set()
    assert log.closed
    assert not measured.event_streams


async def test_a_stuck_client_does_not_keep_the_gateway_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LAST_WORD_S", 0.01)
    log, browser, draining = Log(), Browser(reads=4), asyncio.Event()
    async with asyncio.timeout(BOUND_S), asyncio.TaskGroup() as group:
        group.create_task(serving(log, draining, metrics.Metrics())(SCOPE, browser.receive, browser.send))
        await browser.stuck.wait()
        draining.set()
    assert log.closed


async def test_the_log_is_read_in_the_name_of_whoever_asks() -> None:
    log, browser = Log(), Browser(reads=10)
    async with asyncio.timeout(BOUND_S), asyncio.TaskGroup() as group:
        group.create_task(serving(log, asyncio.Event(), metrics.Metrics())(SCOPE, browser.receive, browser.send))
        await browser.stuck.wait()
        browser.gone.set()
    assert log.callers == {"access-key:K"}


async def test_a_log_that_breaks_ends_the_answer_as_an_answer_ends() -> None:
    log, browser = Log(errors.OutOfRange("pruned")), Browser(reads=100)
    async with asyncio.timeout(BOUND_S):
        await serving(log, asyncio.Event(), metrics.Metrics())(SCOPE, browser.receive, browser.send)
    assert browser.got[0]["status"] == 200
    assert browser.got[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert log.closed
