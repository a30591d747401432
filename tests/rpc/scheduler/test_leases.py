"""The transactions of leadership and of client tokens, on both engines."""

import pytest

from longshore.rpc import errors
from longshore.scheduler import leadership, tokens
from longshore.storage import steps
from longshore.v1 import cluster_pb2
from tests.rpc.scheduler.world import World

HOUR_US = 3_600_000_000
A = leadership.Candidate("a", "a:1", lease_us=HOUR_US)
B = leadership.Candidate("b", "b:1", lease_us=HOUR_US)
KEY = tokens.Key("p", "RunTask", "web", "t")


async def take(world: World, candidate: leadership.Candidate) -> leadership.Lease:
    return await world.database.run(lambda dialect: leadership.take_over(dialect, "web", candidate))


async def renewed(world: World, candidate: leadership.Candidate, epoch: int) -> bool:
    kept = await world.database.run(lambda dialect: leadership.renew(dialect, {"web": epoch}, candidate))
    return "web" in kept


async def held(world: World, candidate: leadership.Candidate, epoch: int) -> int:
    return await world.database.run(lambda dialect: leadership.hold(dialect, "web", candidate.holder, epoch))


async def let_lapse(world: World) -> None:
    await world.database.run(lambda _: steps.execute("UPDATE leases SET expires_at = 1"))


async def test_each_takeover_has_the_next_epoch_and_ends_the_one_before(world: World) -> None:
    assert await take(world, A) == leadership.Lease("web", "a", "a:1", 1, expired=False)
    assert (await take(world, B)).holder == "a"
    await let_lapse(world)
    assert await take(world, B) == leadership.Lease("web", "b", "b:1", 2, expired=False)
    assert await held(world, B, 2) > 0
    for candidate, epoch in ((A, 1), (A, 2), (B, 1)):
        with pytest.raises(leadership.Deposed):
            await held(world, candidate, epoch)


async def test_a_lapsed_lease_that_nobody_took_goes_on_with_its_epoch(world: World) -> None:
    await take(world, A)
    await let_lapse(world)
    assert await renewed(world, A, 1)
    assert await take(world, B) == leadership.Lease("web", "a", "a:1", 1, expired=False)


async def test_a_renewal_says_when_the_lease_is_anothers(world: World) -> None:
    await take(world, A)
    await let_lapse(world)
    await take(world, B)
    assert not await renewed(world, A, 1)
    assert await renewed(world, B, 2)
    assert not await renewed(world, B, 1)


async def test_a_release_ends_ones_own_lease_alone(world: World) -> None:
    await take(world, A)
    await world.database.run(lambda _: leadership.release("web", 1, B))
    await world.database.run(lambda _: leadership.release("web", 2, A))
    assert (await take(world, B)).holder == "a"
    await world.database.run(lambda _: leadership.release("web", 1, A))
    assert (await take(world, B)).holder == "b"


async def test_a_scheduler_that_is_alone_takes_what_a_dead_one_held(world: World) -> None:
    await take(world, A)
    alone = leadership.Candidate("c", "c:1", lease_us=1, alone=True)
    assert await take(world, alone) == leadership.Lease("web", "c", "c:1", 2, expired=False)


async def test_lapsed_leases_are_found_but_those_of_deleted_clusters(world: World) -> None:
    await world.create_cluster("other")
    await take(world, A)
    await world.database.run(lambda dialect: leadership.take_over(dialect, "other", A))
    assert await world.database.read(lambda dialect: leadership.lapsed(dialect, 10)) == []
    await let_lapse(world)
    assert await world.database.read(lambda dialect: leadership.lapsed(dialect, 10)) == ["other", "web"]
    await world.set_cluster_status(cluster_pb2.CLUSTER_STATUS_INACTIVE)
    assert await world.database.read(lambda dialect: leadership.lapsed(dialect, 10)) == ["other"]


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
