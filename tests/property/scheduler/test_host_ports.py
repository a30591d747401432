"""Taken ports against a counter, whatever the order of taking, reporting and giving back."""

from collections import Counter, defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.scheduler import host_ports

UNTIMED = settings(deadline=None)
"""A machine that is busy is no fault."""

PORTS = (1, 80, 65_535, 65_537, 131_071)
TASKS = [f"{number:032x}" for number in (1, 2, 1 << 127)]

steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["take", "give back"]), st.integers(0, 2), st.sampled_from(PORTS)),
        st.tuples(st.just("report"), st.integers(0, 2), st.sampled_from(TASKS), st.sets(st.sampled_from(PORTS))),
        st.tuples(st.just("forget"), st.sampled_from(TASKS)),
    ),
    max_size=40,
)


@UNTIMED
@given(steps)
def test_what_is_taken_is_what_was_taken_and_not_given_back(done: list[tuple[object, ...]]) -> None:
    kept = host_ports.HostPorts()
    counted: Counter[tuple[int, int]] = Counter()
    rows: dict[str, int] = {}
    reported: defaultdict[str, set[int]] = defaultdict(set)
    for step in done:
        match step:
            case ("take", int(row), int(port)):
                kept.take(row, port)
                counted[row, port] += 1
            case ("give back", int(row), int(port)):
                kept.give_back(row, port)
                counted[row, port] -= 1
            case ("report", int(row), str(task), set(ports)):
                new = ports - reported[task]
                told = rows.setdefault(task, row) if new else rows.get(task, row)
                assert kept.report(row, task, ports) == (told, sorted(new))
                reported[task] |= new
                counted.update({(told, port): 1 for port in new})
            case ("forget", str(task)):
                gone = reported.pop(task, set())
                row, given_back = kept.forget(task)
                assert set(given_back) == gone
                assert not gone or row == rows[task]
                rows.pop(task, None)
                counted.subtract({(row, port): 1 for port in gone})
        for port in PORTS:
            assert [kept.count(row, port) for row in range(3)] == [max(0, counted[row, port]) for row in range(3)]
            assert sorted(kept.rows(port)) == [row for row in range(3) if counted[row, port] > 0]
