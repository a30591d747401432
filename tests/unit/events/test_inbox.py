import asyncio

from longshore.events import inbox

LONG = 10.0


async def test_publications_come_in_the_order_of_their_arrival() -> None:
    box = inbox.Inbox()
    for payload in (b"a", b"b"):
        box.offer(payload)
    assert [await box.next(LONG), await box.next(LONG)] == [b"a", b"b"]


async def test_silence_is_none() -> None:
    assert await inbox.Inbox().next(0.001) is None


async def test_one_that_waits_is_woken() -> None:
    box = inbox.Inbox()
    waiting = asyncio.ensure_future(box.next(LONG))
    await asyncio.sleep(0)
    box.offer(b"a")
    assert await waiting == b"a"


async def test_an_interruption_is_none_at_once_also_when_nobody_waits_yet() -> None:
    box = inbox.Inbox()
    waiting = asyncio.ensure_future(box.next(LONG))
    await asyncio.sleep(0)
    box.interrupt()
    assert await waiting is None
    box.interrupt()
    assert await box.next(LONG) is None


async def test_too_many_publications_become_one_none_and_listening_goes_on() -> None:
    box = inbox.Inbox(max_payloads=3)
    for number in range(4):
        box.offer(b"%d" % number)
    box.offer(b"after")
    assert await box.next(LONG) is None
    assert await box.next(LONG) == b"after"


async def test_too_many_bytes_become_one_none_and_the_account_starts_anew() -> None:
    box = inbox.Inbox(max_bytes=10)
    box.offer(b"123456")
    box.offer(b"123456")
    assert await box.next(LONG) is None
    for _ in range(5):
        box.offer(b"123456")
        assert await box.next(LONG) == b"123456"


async def test_what_was_missed_before_the_beginning_does_not_count() -> None:
    box = inbox.Inbox()
    box.miss()
    box.begin()
    box.offer(b"a")
    assert await box.next(LONG) == b"a"
