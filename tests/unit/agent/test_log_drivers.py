import pytest

from longshore.agent import log_drivers
from longshore.v1 import task_definition_pb2 as definition_pb2

KEPT = {"max-size": "20m", "max-file": "5"}


def config(driver: str, *, awslogs: bool = False, **options: str) -> tuple[str, dict[str, str]]:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    made = definition_pb2.LogConfiguration(log_driver=driver, options=named)
    found = log_drivers.docker_config(made, awslogs=awslogs, stream="web/0123")
    return found["Type"], found["Config"]


def test_drivers_of_the_engine_go_through_with_their_options() -> None:
    assert config("gelf", gelf_address="udp://x:1") == ("gelf", {"gelf-address": "udp://x:1"})


@pytest.mark.parametrize("driver", ["awslogs", "awsfirelens"])
def test_what_would_go_to_aws_is_kept_here_bounded_and_without_aws_options(driver: str) -> None:
    assert config(driver, awslogs_group="/app", awslogs_region="eu-west-1") == ("json-file", KEPT)
    assert config(driver, mode="non-blocking") == (
        "json-file",
        KEPT | {"mode": "non-blocking", "max-buffer-size": "10m"},
    )


def test_an_engine_with_credentials_sends_awslogs_itself_but_routes_nothing() -> None:
    assert config("awslogs", awslogs=True, awslogs_group="/app") == ("awslogs", {"awslogs-group": "/app"})
    assert config("awsfirelens", awslogs=True)[0] == "json-file"


def test_the_engine_is_told_the_stream_in_its_own_word() -> None:
    """Docker refuses awslogs-stream-prefix, which nearly every definition for Fargate has."""
    named = config("awslogs", awslogs=True, awslogs_group="/app", awslogs_stream_prefix="ecs")
    assert named == ("awslogs", {"awslogs-group": "/app", "awslogs-stream": "ecs/web/0123"})
    own = config("awslogs", awslogs=True, awslogs_stream="mine", awslogs_stream_prefix="ecs")
    assert own == ("awslogs", {"awslogs-stream": "mine"})


@pytest.mark.parametrize(
    ("environ", "file", "expected"),
    [
        ({}, None, False),
        ({"AWS_ACCESS_KEY_ID": "A"}, None, True),
        ({}, "/etc/aws", True),
        ({"AWS_ACCESS_KEY_ID": ""}, None, False),
    ],
)
def test_credentials_are_what_the_agent_is_told(environ: dict[str, str], file: str | None, expected: bool) -> None:  # noqa: FBT001 - a table
    assert log_drivers.has_aws_credentials(environ, file) is expected
    assert log_drivers.sends_to_aws({"awslogs"}, credentials=True)
    assert not log_drivers.sends_to_aws({"json-file"}, credentials=True)


def test_an_operator_is_told_what_is_kept_and_what_is_not_routed() -> None:
    definition = definition_pb2.TaskDefinition()
    for driver in ("awslogs", "awslogs", "json-file"):
        definition.container_definitions.add().log_configuration.log_driver = driver
    assert set(log_drivers.notes(definition, awslogs=False)) == {"awslogs"}
    assert log_drivers.notes(definition, awslogs=True) == {}
    definition.container_definitions.add().firelens_configuration.SetInParent()
    assert set(log_drivers.notes(definition, awslogs=True)) == {"firelensConfiguration"}
