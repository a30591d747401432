"""Scripts of failures."""

import random

import pytest

from longshore.agent.simulated import simulated_failures
from longshore.agent.simulated.simulated_failures import Kind


def test_a_script_is_read_in_the_order_of_its_times() -> None:
    script = simulated_failures.parse(
        '[{"at": 9, "what": "flap", "count": 2, "every": 3, "for": 30}, {"at": 4, "what": "crash", "share": 0.5},'
        ' {"at": 5, "what": "slow", "count": 1}, {"at": 6, "what": "wrong-clock", "count": 1, "offset": -60}]'
    )
    assert [(one.at_s, one.kind, one.amount, one.lasts_s) for one in script] == [
        (4, Kind.CRASH, 0.0, None),
        (5, Kind.SLOW, 10.0, None),
        (6, Kind.WRONG_CLOCK, -60.0, None),
        (9, Kind.FLAP, 3.0, 30.0),
    ]


def test_victims_are_drawn_from_those_to_whom_nothing_happens() -> None:
    half, three = simulated_failures.parse(
        '[{"what": "crash", "share": 0.5}, {"at": 1, "what": "silent", "count": 3, "for": 1}]'
    )
    able = list(range(10, 21))
    assert len(half.victims(able, random.Random(1))) == 6
    drawn = three.victims(able, random.Random(1))
    assert len(set(drawn)) == 3
    assert set(drawn) <= set(able)
    assert drawn == three.victims(able, random.Random(1))
    assert three.victims([7], random.Random(1)) == [7]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "not a list"),
        ('[{"what": "burn", "count": 1}]', "not one of crash, slow, flap, wrong-clock, silent"),
        ('[{"what": "crash"}]', "either count or share"),
        ('[{"what": "crash", "count": 1, "share": 0.1}]', "either count or share"),
        ('[{"what": "crash", "share": 1.5}]', "share is 1.5"),
        ('[{"what": "crash", "count": 0.5}]', "count is 0.5"),
        ('[{"what": "crash", "count": 1, "every": 3}]', "every, which crash does not know"),
        ('[{"what": "flap", "count": 1, "every": 0}]', "every is 0"),
        ('[{"what": "slow", "count": 1, "for": "long"}]', "for is 'long'"),
    ],
)
def test_a_wrong_script_names_the_place(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        simulated_failures.parse(text)
