import pytest

from longshore.rpc import errors
from longshore.state_tracker import instance_rules, tags
from longshore.v1 import common_pb2, container_instance_pb2


def resource(name: str, kind: str = "INTEGER", **fields: object) -> common_pb2.Resource:
    return common_pb2.Resource(name=name, type=kind, **fields)  # type: ignore[arg-type]  # fields of the test


def attribute(name: str, value: str | None = None) -> common_pb2.Attribute:
    return common_pb2.Attribute(name=name, value=value)


GOOD = [resource("CPU", integer_value=1024), resource("MEMORY", integer_value=512)]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ([resource("CPU")], "MEMORY is missing"),
        ([*GOOD, resource("CPU")], "CPU occurs more than once"),
        ([resource("CPU", integer_value=-1), GOOD[1]], "CPU must be an INTEGER of at least 0"),
        ([resource("CPU", "DOUBLE"), GOOD[1]], "CPU must be an INTEGER"),
        ([*GOOD, resource("PORTS", "STRINGSET", string_set_value=["22", "x"])], "PORTS must be a STRINGSET of ports"),
        ([*GOOD, resource("PORTS_UDP", "STRINGSET", string_set_value=["65536"])], "PORTS_UDP must be"),
        ([*GOOD, resource("disks", "FLOAT")], "disks has type 'FLOAT'"),
    ],
)
def test_resources_that_cannot_be_counted_are_refused(wrong: list[common_pb2.Resource], says: str) -> None:
    with pytest.raises(errors.InvalidParameterException, match=says):
        instance_rules.check_resources(wrong)


@pytest.mark.timeout(10)  # a minute, where each name is sought among all the others
def test_a_request_full_of_faults_costs_little_and_is_told_of_some() -> None:
    count = 50_000
    with pytest.raises(errors.InvalidParameterException) as refused:
        instance_rules.check_resources([resource(f"{number % (count // 2)}") for number in range(count)])
    assert str(refused.value).count("occurs more than once") == instance_rules.MAX_TOLD - 2
    with pytest.raises(errors.InvalidParameterException) as refused:
        instance_rules.check_attributes([attribute(f"{number % (count // 2)}") for number in range(count)])
    assert str(refused.value).count("occurs more than once") == instance_rules.MAX_TOLD


def test_resources_of_any_name_and_type_of_ecs_are_taken() -> None:
    instance_rules.check_resources(
        [*GOOD, resource("PORTS", "STRINGSET", string_set_value=["22"]), resource("gauge", "DOUBLE", double_value=1.5)]
    )


@pytest.mark.parametrize(
    "wrong",
    [
        [attribute("")],
        [attribute("n" * 129)],
        [attribute("a b")],
        [attribute("a", "")],
        [attribute("a", " x")],
        [attribute("a", "x ")],
        [attribute("a", "v" * 129)],
        [attribute("a", "ü")],
        [attribute("a"), attribute("a", "x")],
    ],
)
def test_attributes_that_ecs_does_not_take_are_refused(wrong: list[common_pb2.Attribute]) -> None:
    with pytest.raises(errors.InvalidParameterException):
        instance_rules.check_attributes(wrong)


def test_attributes_that_ecs_takes_are_taken() -> None:
    instance_rules.check_attributes([attribute("com.example/x-y_z", "a b@c/d:e"), attribute("bare")])


def test_ten_custom_attributes_are_the_limit_and_built_in_ones_do_not_count() -> None:
    ten = [attribute(f"a{number}") for number in range(10)]
    built_in = [attribute(f"ecs.capability.{number}") for number in range(50)]
    after = instance_rules.with_attributes([*built_in, *ten], [attribute("a0", "new")])
    assert len(after) == 60
    with pytest.raises(errors.AttributeLimitExceededException):
        instance_rules.with_attributes([*built_in, *ten], [attribute("a10")])


def test_registering_again_replaces_what_the_agent_says_and_keeps_what_others_put() -> None:
    after = instance_rules.registered_attributes(
        [attribute("ecs.os-type", "linux"), attribute("ecs.gone"), attribute("stack", "blue")],
        [attribute("ecs.os-type", "linux2"), attribute("stack", "green"), attribute("new")],
    )
    assert after == [attribute("ecs.os-type", "linux2"), attribute("stack", "blue")]


def test_another_instance_type_is_another_instance() -> None:
    before = [attribute("ecs.instance-type", "small")]
    with pytest.raises(errors.InvalidParameterException, match="small and is now large"):
        instance_rules.check_same_type(before, [attribute("ecs.instance-type", "large")])
    instance_rules.check_same_type(before, [])


def test_states_that_can_be_set() -> None:
    instance_rules.check_state(container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING)
    for status in (0, container_instance_pb2.CONTAINER_INSTANCE_STATUS_REGISTERING):
        with pytest.raises(errors.InvalidParameterException):
            instance_rules.check_state(status)


@pytest.mark.parametrize(
    "wrong",
    [
        [("", "v")],
        [("k" * 129, "v")],
        [("k", "v" * 257)],
        [("aws:x", "v")],
        [("AWS:x", "v")],
        [("k", "<")],
        [("k", "1"), ("k", "2")],
        [(f"k{number}", "") for number in range(51)],
    ],
)
def test_tags_that_ecs_does_not_take_are_refused(wrong: list[tuple[str, str]]) -> None:
    with pytest.raises(errors.InvalidParameterException):
        tags.check([common_pb2.Tag(key=key, value=value) for key, value in wrong])


def test_tags_are_overwritten_by_key_and_bounded() -> None:
    before = [common_pb2.Tag(key="a", value="1"), common_pb2.Tag(key="b", value="2")]
    after = tags.added(before, [common_pb2.Tag(key="b", value="3")])
    assert [(tag.key, tag.value) for tag in after] == [("a", "1"), ("b", "3")]
    assert [tag.key for tag in tags.removed(after, ["a", "z"])] == ["b"]
    with pytest.raises(errors.InvalidParameterException, match="51"):
        tags.added(before, [common_pb2.Tag(key=f"k{number}") for number in range(49)])
