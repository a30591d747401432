import pytest

from longshore.state_tracker import liveness


def opened(*instances: str, lease_s: float = 5.0, now: float = 0.0) -> liveness.Leases:
    leases = liveness.Leases()
    for instance in instances:
        leases.open(instance, cluster="web", epoch=1, lease_s=lease_s, now=now)
    return leases


def ticked(leases: liveness.Leases, *, until: float, step: float = 0.25) -> dict[str, float]:
    """When each instance expired, looking often enough."""
    gone = {}
    now = 0.0
    while now <= until:
        gone.update({expired.instance_id: now for expired in leases.tick(now)})
        now += step
    return gone


def test_a_silent_instance_expires_after_its_lease_and_once() -> None:
    leases = opened("a")
    assert ticked(leases, until=20.0) == {"a": 5.0}
    assert len(leases) == 0


def test_who_is_heard_does_not_expire() -> None:
    leases = opened("a", "b")
    gone = []
    for step in range(40):
        now = step * 0.5
        leases.hear("a", 1, now)
        gone += [expired.instance_id for expired in leases.tick(now)]
    assert gone == ["b"]


def test_an_older_session_of_an_instance_does_not_keep_it_alive() -> None:
    leases = opened("a")
    leases.open("a", cluster="web", epoch=2, lease_s=5.0, now=0.0)
    leases.hear("a", 1, 4.0)
    assert ticked(leases, until=6.0) == {"a": 5.0}


def test_after_the_process_slept_all_leases_start_anew() -> None:
    leases = opened("a")
    assert leases.tick(0.0) == []
    assert leases.tick(60.0) == []  # everything the agent sent is still in the socket
    assert leases.tick(62.0) == []
    assert [leases.tick(60.0 + seconds) != [] for seconds in (4.0, 4.9, 5.0)] == [False, False, True]


def test_leases_of_different_lengths_expire_each_in_its_time() -> None:
    leases = opened("short", lease_s=2.0)
    leases.open("long", cluster="web", epoch=1, lease_s=8.0, now=0.0)
    assert ticked(leases, until=10.0) == {"short": 2.0, "long": 8.0}


@pytest.mark.parametrize(("sessions", "heartbeat_s"), [(0, 1.0), (499, 1.0), (6_099, 12.2), (9_999, 20.0)])
def test_terms_stretch_so_that_heartbeats_stay_affordable(sessions: int, heartbeat_s: float) -> None:
    given = liveness.terms(liveness.Terms(1.0, 5.0), sessions)
    assert given.heartbeat_s == pytest.approx(heartbeat_s)
    assert given.lease_s == pytest.approx(5 * heartbeat_s)


def test_continuity_counts_from_the_first_success_after_a_failure() -> None:
    continuity = liveness.Continuity()
    assert continuity.unbroken(5.0) == 0.0
    continuity.succeeded(5.0)
    continuity.succeeded(8.0)
    assert continuity.unbroken(9.0) == 4.0
    continuity.failed()
    assert continuity.unbroken(9.0) == 0.0
