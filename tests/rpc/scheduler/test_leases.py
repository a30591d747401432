"""The transactions of leadership and of client tokens, on both engines."""

from collections.abc import Mapping, Sequence

import pytest

from longshore.rpc import errors
from longshore.scheduler import leadership, peers, tokens
from longshore.storage import steps
from longshore.v1 import cluster_pb2
from tests.rpc.scheduler.world import World

HOUR_US = 3_600_000_000
A = leadership.Candidate("a", "a:1", lease_us=HOUR_US)
B = leadership.Candidate("b", "b:1", lease_us=HOUR_US)
KEY = tokens.Key("p", "RunTask", "web", "t")


async def take(world: World, candidate: leadership.Candidate, ended: Sequence[int] = ()) -> leadership.Lease:
    return await world.database.run(lambda dialect: leadership.take_over(dialect, "web", candidate, ended=ended))


async def alive(world: World, candidate: leadership.Candidate, *, session: int = 0) -> Mapping[str, int]:
    """Renew a scheduler's own lease; gives what it leads."""
    return await world.database.run(lambda dialect: peers.renew(dialect, candidate, session=session, leaving=False))


async def held(world: World, candidate: leadership.Candidate, epoch: int) -> int:
    return await world.database.run(lambda dialect: leadership.hold(dialect, "web", candidate.holder, epoch))


async def let_lapse(world: World, holder: str = "a") -> None:
    await world.database.run(lambda _: steps.execute("UPDATE schedulers SET expires_at = 1 WHERE holder = $1", holder))


async def test_each_takeover_has_the_next_epoch_and_ends_the_one_before(world: World) -> None:
    await alive(world, A)
    assert await take(world, A) == leadership.Lease("web", "a", "a:1", 1, expired=False)
    assert (await take(world, B)).holder == "a"
    await let_lapse(world)
    await alive(world, B)
    assert await take(world, B) == leadership.Lease("web", "b", "b:1", 2, expired=False)
    assert await held(world, B, 2) > 0
    for candidate, epoch in ((A, 1), (A, 2), (B, 1)):
        with pytest.raises(leadership.Deposed):
            await held(world, candidate, epoch)


async def test_a_lapsed_lease_whose_cluster_nobody_took_goes_on_with_its_epoch(world: World) -> None:
    await alive(world, A)
    await take(world, A)
    await let_lapse(world)
    assert await alive(world, A) == {"web": 1}
    assert await take(world, B) == leadership.Lease("web", "a", "a:1", 1, expired=False)


async def test_a_renewal_says_what_one_leads_and_no_longer_what_another_took(world: World) -> None:
    await alive(world, A)
    await take(world, A)
    await let_lapse(world)
    await alive(world, B)
    await take(world, B)
    assert await alive(world, A) == {}
    assert await alive(world, B) == {"web": 2}


async def test_a_holder_whose_session_was_seen_to_end_is_gone_unless_it_has_a_new_one(world: World) -> None:
    await alive(world, A, session=7)
    await take(world, A)
    assert (await take(world, B, ended=[6])).holder == "a"
    await alive(world, A, session=8)
    assert (await take(world, B, ended=[7])).holder == "a"
    assert (await take(world, B, ended=[7, 8])) == leadership.Lease("web", "b", "b:1", 2, expired=False)


async def test_a_scheduler_of_an_older_release_keeps_what_it_leads_while_its_lease_stands(world: World) -> None:
    """It has no row of its own and renews the lease's time alone."""
    await take(world, A)
    assert (await take(world, B)).holder == "a"
    await world.database.run(lambda _: steps.execute("UPDATE leases SET expires_at = 1"))
    await alive(world, B)
    assert (await take(world, B)).holder == "b"


async def test_what_an_older_release_goes_by_is_kept_in_the_future(world: World) -> None:
    await alive(world, A)
    await take(world, A)
    await world.database.run(lambda _: steps.execute("UPDATE leases SET expires_at = 1"))
    await alive(world, A)
    left = await world.database.read(
        lambda dialect: steps.fetch_value(f"SELECT expires_at - {dialect.now} FROM leases")  # noqa: S608
    )
    assert left > leadership.COURTESY_US // 2


async def test_a_release_ends_ones_own_lease_alone(world: World) -> None:
    await alive(world, A)
    await take(world, A)
    await world.database.run(lambda _: leadership.release("web", 1, B))
    await world.database.run(lambda _: leadership.release("web", 2, A))
    assert (await take(world, B)).holder == "a"
    await world.database.run(lambda _: leadership.release("web", 1, A))
    assert (await take(world, B)).holder == "b"


async def test_who_resigns_lets_go_of_everything_and_is_not_there_any_more(world: World) -> None:
    await alive(world, A)
    await alive(world, B)
    await take(world, A)
    await world.database.run(lambda _: leadership.resign("a"))
    assert (await take(world, B)).epoch == 2
    assert [peer.holder for peer in await world.database.read(peers.read)] == ["b"]


async def test_a_lease_is_handed_over_to_one_that_is_alive_and_stays(world: World) -> None:
    async def handed(epoch: int, to: str) -> bool:
        return await world.database.run(lambda dialect: leadership.hand_over(dialect, "web", epoch, A, to))

    await alive(world, A)
    await take(world, A)
    assert not await handed(1, "b")
    await world.database.run(lambda dialect: peers.renew(dialect, B, session=0, leaving=True))
    assert not await handed(1, "b")
    await alive(world, B)
    assert not await handed(2, "b")
    assert await handed(1, "b")
    assert await world.database.read(lambda dialect: leadership.read(dialect, "web")) == leadership.Lease(
        "web", "b", "b:1", 2, expired=False
    )
    with pytest.raises(leadership.Deposed):
        await held(world, A, 1)


async def test_the_rows_of_those_long_gone_are_deleted(world: World) -> None:
    await alive(world, A)
    await alive(world, B)
    await let_lapse(world, "a")
    found = {peer.holder: peer for peer in await world.database.read(peers.read)}
    assert (found["a"].alive, found["a"].forgotten, found["b"].alive) == (False, True, True)
    await world.database.run(peers.forget)
    assert [peer.holder for peer in await world.database.read(peers.read)] == ["b"]


async def test_a_scheduler_that_is_alone_takes_what_a_dead_one_held(world: World) -> None:
    await take(world, A)
    alone = leadership.Candidate("c", "c:1", lease_us=1, alone=True)
    assert await take(world, alone) == leadership.Lease("web", "c", "c:1", 2, expired=False)


async def test_only_active_clusters_want_a_leader(world: World) -> None:
    async def wanted() -> list[str]:
        return [lease.cluster for lease in await world.database.read(leadership.wanted)]

    await world.create_cluster("other")
    assert await wanted() == []
    await take(world, A)
    await world.database.run(lambda dialect: leadership.take_over(dialect, "other", A))
    assert await wanted() == ["other", "web"]
    await world.set_cluster_status(cluster_pb2.CLUSTER_STATUS_INACTIVE)
    assert await wanted() == ["other"]


async def test_a_cluster_that_never_was_has_no_leader(world: World) -> None:
    with pytest.raises(errors.ClusterNotFoundException):
        await world.database.run(lambda dialect: leadership.take_over(dialect, "nowhere", A))
    assert await world.value("SELECT COUNT(*) FROM leases") == 0


async def test_tokens_are_found_by_their_whole_key_until_they_are_a_day_old(world: World) -> None:
    now = await world.database.read(lambda dialect: steps.fetch_value(f"SELECT {dialect.now}"))
    others = [
        tokens.Key("q", "RunTask", "web", "t"),
        tokens.Key("p", "CreateService", "web", "t"),
        tokens.Key("p", "RunTask", "db", "t"),
    ]
    kept = tokens.Remembered(b"f", b"answer")
    old = tokens.Key("p", "RunTask", "web", "old")
    await world.database.run(lambda dialect: tokens.insert(dialect, [(KEY, kept)], now))
    await world.database.run(lambda dialect: tokens.insert(dialect, [(old, kept)], now - tokens.KEPT_US))
    found = await world.database.read(lambda dialect: tokens.find(dialect, [KEY, old, *others]))
    assert found == {KEY: kept}
    assert await world.database.run(tokens.prune) == 1
    assert await world.database.run(tokens.prune) == 0
    assert await world.value("SELECT token FROM client_tokens") == "t"
