"""Mixes of simulated hosts."""

import collections

import pytest

from longshore.agent.simulated import simulated_sizes


def test_a_mix_gives_each_kind_its_share_and_mixes_them_evenly() -> None:
    kinds = simulated_sizes.parse(
        '[{"cpu": 4096, "memory": 8192, "weight": 3, "attributes": {"zone": "a"}}, {"cpu": 512, "memory": 1000}]'
    )
    hosts = simulated_sizes.spread(kinds, 1_000)
    assert collections.Counter(host.cpu for host in hosts) == {4096: 750, 512: 250}
    assert hosts[0].attributes == {"zone": "a"}
    for start in range(0, 1_000, 40):
        assert {host.cpu for host in hosts[start : start + 5]} == {4096, 512}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "not a list"),
        ("[", "not JSON"),
        ('[{"cpu": 1}]', r"\[0\] is not an object with cpu and memory"),
        ('[{"cpu": 1, "memory": 0}]', r"\[0\].memory is 0"),
        ('[{"cpu": true, "memory": 1}]', r"\[0\].cpu is True"),
        ('[{"cpu": 1, "memory": 1, "wieght": 2}]', "wieght"),
        ('[{"cpu": 1, "memory": 1, "weight": 0}]', "weight is 0"),
        ('[{"cpu": 1, "memory": 1, "attributes": {"a": 1}}]', "attributes"),
    ],
)
def test_a_wrong_mix_names_the_place(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        simulated_sizes.parse(text)
