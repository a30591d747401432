"""What a request meets: every instance, every test, and the smallest change that would make it fit."""

import random
from collections.abc import Mapping, Sequence

from longshore.scheduler import explaining, instances, placement, refusals, requirements, resources, snapshot
from longshore.storage import ports
from tests.unit.scheduler.shapes import cluster, instance, request

NOBODY: Mapping[str, Sequence[explaining.Held]] = {}


def explain(
    base: snapshot.Snapshot,
    wanted: placement.Request,
    held: Mapping[str, Sequence[explaining.Held]] = NOBODY,
) -> dict[str, explaining.Verdict]:
    plan = placement.place(base, [wanted], 0, random.Random(1))
    found = explaining.explain(base, wanted, plan.decisions[0], held)
    assert found.fitting == sum(verdict.fits for verdict in found.verdicts)
    return {verdict.instance_id: verdict for verdict in found.verdicts}


def test_each_instance_says_what_is_missing_and_what_would_help() -> None:
    base = cluster(
        instance("fits"),
        instance("small", cpu=100, memory=64),
        instance("off", connected=False),
        instance("drained", status=instances.DRAINING),
        instance("gone", status=instances.DRAINING + 1),
        instance("full", memory=0),
        instance("port", reserved_ports=frozenset({ports.tcp(80)})),
    )
    found = explain(base, request(ports=(ports.tcp(80),)))
    assert "gone" not in found
    assert {name: verdict.remedy for name, verdict in found.items()} == {
        "fits": "",
        "small": "fits if cpu <= 100 and memory <= 64",
        "off": "fits if its agent connects again",
        "drained": "fits if it is set ACTIVE again",
        "full": "",
        "port": "fits if its host ports are others, or 0 for dynamic ones",
    }
    assert next(iter(found)) == "fits"
    assert [miss.reason for miss in found["small"].misses] == [refusals.CPU, refusals.MEMORY]


def test_the_smallest_task_that_would_do_is_named() -> None:
    base = cluster(instance("a", cpu=1024, memory=1024))
    held = [
        explaining.Held("tiny", "g", snapshot.Load(10, 10, group="g")),
        explaining.Held("big", "g", snapshot.Load(600, 700, group="g")),
        explaining.Held("enough", "h", snapshot.Load(300, 200, group="h")),
    ]
    for one in held:
        base.reserve("a", one.load)
    before = base.reserved(0)
    (verdict,) = explain(base, request(cpu=256, memory=256), {"a": held}).values()
    assert verdict.remedy == "fits if cpu <= 114 and memory <= 114 or if task enough (group h) stops"
    assert base.reserved(0) == before


def test_constraints_attributes_and_resources_say_what_they_lack() -> None:
    base = cluster(instance("a", offers={"GPU": ("g0",)}, attributes={"stack": "test"}))
    base.reserve("a", snapshot.Load(0, 0, group="g"))
    needs = requirements.Needs(
        1, 1, (), (requirements.Attribute("rack"),), (resources.Share("m", "GPU", 2),), (("GPU", 2),)
    )
    wanted = placement.Request(needs, "g", distinct=True, constraints=("attribute:stack == prod",))
    (verdict,) = explain(base, wanted).values()
    assert [miss.detail for miss in verdict.misses] == [
        "lacks rack",
        "needs 2 GPU, 1 of 1 free",
        "holds 1 of group g already",
        "not so: attribute:stack == prod",
    ]
    assert verdict.remedy == (
        "fits if it gets the attribute rack and it asks for 1 GPU at most and no task of group g is there and "
        "the constraint is left out or the instance's attributes are changed"
    )


def test_what_a_host_cannot_do_has_no_remedy() -> None:
    needs = requirements.Needs(1, 1, (), (requirements.Attribute("ecs.capability.gmsa"),))
    (verdict,) = explain(cluster(instance("a")), placement.Request(needs, "g")).values()
    assert (verdict.remedy, verdict.misses[0].detail) == ("", "lacks ecs.capability.gmsa")


def test_the_answer_is_bounded_and_counts_all() -> None:
    base = cluster(*(instance(f"i{number:04}", cpu=number % 3) for number in range(1200)))
    wanted = request(cpu=2)
    plan = placement.place(base, [wanted], 0, random.Random(1))
    found = explaining.explain(base, wanted, plan.decisions[0], NOBODY)
    assert (len(found.verdicts), found.instances, found.fitting) == (explaining.SHOWN, 1200, 400)
    assert found.reasons == {refusals.CPU: 800}
    assert all(verdict.fits for verdict in found.verdicts[:400])
