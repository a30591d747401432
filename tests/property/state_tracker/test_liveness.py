"""The leases against the obvious implementation: a dictionary of deadlines, looked through at every tick."""

from hypothesis import given
from hypothesis import strategies as st

from longshore.state_tracker import liveness

acts = st.lists(
    st.tuples(st.sampled_from(("open", "hear", "drop", "tick")), st.sampled_from("abc"), st.sampled_from((2.0, 5.0))),
    max_size=60,
)


@given(acts)
def test_exactly_those_expire_that_were_silent_for_their_lease(story: list[tuple[str, str, float]]) -> None:
    leases = liveness.Leases()
    naive: dict[str, tuple[float, float]] = {}
    now = 0.0
    for act, instance, length in story:
        now += 0.5
        ticks = [now]
        if act == "open":
            leases.open(instance, cluster="web", epoch=1, lease_s=length, now=now)
            naive[instance] = (length, now)
        elif act == "hear":
            leases.hear(instance, 1, now)
            if instance in naive:
                naive[instance] = (naive[instance][0], now)
        elif act == "drop":
            leases.drop(instance)
            naive.pop(instance, None)
        for tick in ticks:
            gone = {key for key, (lease, heard) in naive.items() if heard <= tick - lease}
            assert {expired.instance_id for expired in leases.tick(tick)} == gone
            for key in gone:
                del naive[key]
        assert len(leases) == len(naive)
