"""Resources that instances offer by name, and host ports that agents report."""

import random
from collections.abc import Mapping

import pytest

from longshore.scheduler import commit, instances, overrides, placement, refusals, requirements, resources, snapshot
from longshore.storage import ports
from longshore.v1 import common_pb2, container_instance_pb2, task_definition_pb2, task_pb2
from tests.unit.scheduler.shapes import cluster, instance, request

GPU_1 = (resources.Share("main", "GPU", 1),)
THREE = (resources.Share("a", "GPU", 2), resources.Share("b", "GPU", 1))

TASK = f"{7:032x}"


def wanted(*shares: resources.Share, count: int = 1) -> placement.Request:
    totals = {share.name: sum(one.count for one in shares if one.name == share.name) for share in shares}
    return placement.Request(requirements.Needs(0, 0, (), (), shares, tuple(sorted(totals.items()))), "g", count)


def place(base: snapshot.Snapshot, *requests: placement.Request) -> list[placement.Decision]:
    return list(placement.place(base, requests, 0, random.Random(1)).decisions)


def offering(name: str, **offers: resources.Offer) -> instances.Instance:
    return instance(name, offers=offers)


def test_ids_are_given_in_the_instances_order_each_to_one_task() -> None:
    base = cluster(offering("a", GPU=("g2", "g0", "g1", "g3")), offering("none"))
    three, one, no = place(base, wanted(*THREE), wanted(*GPU_1), wanted(*GPU_1))
    assert three.given == ((resources.Given("a", "GPU", 2, ("g2", "g0")), resources.Given("b", "GPU", 1, ("g1",))),)
    assert one.given == ((resources.Given("main", "GPU", 1, ("g3",)),),)
    assert no.instances == ()
    assert {refusal.instance: (refusal.reason, refusal.detail) for refusal in no.refused} == {
        "a": ("RESOURCE:GPU", "needs 1 GPU, 0 of 4 free. Nearest of 2 instances: 2 RESOURCE:GPU"),
        "none": ("RESOURCE:GPU", "needs 1 GPU, the instance has none"),
    }


def test_what_is_counted_is_counted_and_what_is_given_back_is_free() -> None:
    base = cluster(offering("a", licence=3))
    share = resources.Share("main", "licence", 2)
    (first,) = place(base, wanted(share))
    (given,) = first.given
    load = snapshot.Load(0, 0, named=resources.amounts(given))
    base.reserve("a", load)
    assert place(base, wanted(share))[0].refused == (
        refusals.Refusal("a", "RESOURCE:licence", "needs 2 licence, 1 of 3 free"),
    )
    base.give_back("a", load)
    assert place(base, wanted(share))[0].instances == ("a",)


def test_an_id_that_is_held_stays_held_when_the_instance_offers_others() -> None:
    base = cluster(offering("a", GPU=("g0", "g1")))
    base.reserve("a", snapshot.Load(0, 0, named=(("GPU", ("g0",)),)))
    base.apply(instance("a", revision=2, offers={"GPU": ("g0", "g7")}))
    (decision,) = place(base, wanted(*GPU_1, count=2))
    assert decision.given == ((resources.Given("main", "GPU", 1, ("g7",)),),)


def test_giving_back_before_reserving_comes_to_the_same() -> None:
    base = cluster(offering("a", GPU=("g0",)))
    load = snapshot.Load(0, 0, named=(("GPU", ("g0",)), ("licence", 1)))
    base.give_back("a", load)
    base.reserve("a", load)
    assert place(base, wanted(*GPU_1))[0].instances == ("a",)
    assert not base.used(0)


@pytest.mark.parametrize(
    ("offers", "fits"),
    [
        ({"GPU": ("g0", "g1"), "licence": 2}, True),
        ({"GPU": ("g1",), "licence": 2}, False),
        ({"licence": 2}, False),
        ({"GPU": ("g0",), "licence": 1}, False),
        ({"GPU": ("g0",)}, False),
    ],
)
def test_an_instance_that_has_changed_must_still_offer_what_was_given(
    offers: Mapping[str, resources.Offer],
    fits: bool,  # noqa: FBT001
) -> None:
    given = (resources.Given("main", "GPU", 1, ("g0",)), resources.Given("main", "licence", 2))
    needs = requirements.Needs(0, 0)
    reserved = snapshot.Reserved(0, 0, {"GPU": resources.Used(0, {"g0": 1}), "licence": resources.Used(2)})
    assert commit.still_fits(instance("a", offers=offers), reserved, needs, given) is fits


def test_reported_ports_count_until_the_release_is_settled() -> None:
    base = cluster(instance("a"))
    base.observe("a", TASK, (50_000,))
    base.observe("a", TASK, (50_000, 50_001))
    static = request(ports=(50_001,))
    assert place(base, static)[0].refused[0].reason == refusals.PORTS
    base.forget(TASK)
    base.forget(TASK)
    assert place(base, static)[0].instances == ("a",)
    assert not base.port_taken(0, 50_000)


def test_the_instance_says_what_it_offers() -> None:
    body = container_instance_pb2.ContainerInstance(
        registered_resources=[
            common_pb2.Resource(name="CPU", type="INTEGER", integer_value=1),
            common_pb2.Resource(name="PORTS", type="STRINGSET", string_set_value=["22"]),
            common_pb2.Resource(name="GPU", type="STRINGSET", string_set_value=["b", "a", "b"]),
            common_pb2.Resource(name="licence", type="INTEGER", integer_value=3),
            common_pb2.Resource(name="bytes", type="LONG", long_value=1 << 40),
            common_pb2.Resource(name="share", type="DOUBLE", double_value=0.5),
        ]
    )
    row = {
        "instance_id": "a",
        "status": 1,
        "connected": 1,
        "connected_at": 1,
        "registered_at": 5,
        "membership_revision": 1,
    }
    fact = instances.parse(row | {"body": body.SerializeToString()})
    assert fact.offers == {"GPU": ("b", "a"), "licence": 3, "bytes": 1 << 40}
    assert fact.reserved_ports == {ports.tcp(22)}


def gpu(value: str, kind: common_pb2.ResourceType.ValueType = common_pb2.RESOURCE_TYPE_GPU) -> object:
    return task_definition_pb2.ResourceRequirement(value=value, type=kind)


def test_an_override_of_the_requirements_replaces_them() -> None:
    made = task_definition_pb2.TaskDefinition(
        container_definitions=[
            task_definition_pb2.ContainerDefinition(name="a", memory=1, resource_requirements=[gpu("2")]),  # type: ignore[list-item]
            task_definition_pb2.ContainerDefinition(name="b", memory=1, resource_requirements=[gpu("1")]),  # type: ignore[list-item]
        ]
    )
    assert requirements.of(made, task_pb2.TaskOverride()).resources == (("GPU", 3),)
    override = task_pb2.TaskOverride(
        container_overrides=[task_pb2.ContainerOverride(name="a", resource_requirements=[gpu("5")])]  # type: ignore[list-item]
    )
    needs = requirements.of(made, override)
    assert needs.shares == (resources.Share("a", "GPU", 5), resources.Share("b", "GPU", 1))
    assert needs.resources == (("GPU", 6),)


@pytest.mark.parametrize("value", ["", "0", "two", "-1", "1025", "9" * 40, "1.5"])
def test_a_number_of_devices_that_is_none_is_a_fault(value: str) -> None:
    made = task_definition_pb2.TaskDefinition(
        container_definitions=[
            task_definition_pb2.ContainerDefinition(name="a", memory=1, resource_requirements=[gpu(value)])  # type: ignore[list-item]
        ]
    )
    (fault,) = overrides.faults(made, task_pb2.TaskOverride())
    assert fault == (
        f"Invalid setting for container 'a': the resource requirement of GPU is '{value}', it must be a number from 1 to 1024."
    )


def test_what_is_no_gpu_cannot_be_had() -> None:
    made = task_definition_pb2.TaskDefinition(
        container_definitions=[
            task_definition_pb2.ContainerDefinition(
                name="a",
                memory=1,
                resource_requirements=[gpu("x", common_pb2.RESOURCE_TYPE_INFERENCE_ACCELERATOR)],  # type: ignore[list-item]
            )
        ]
    )
    assert list(overrides.unsupported(made, task_pb2.TaskOverride())) == [
        "container a asks for InferenceAccelerator, which is not supported"
    ]
