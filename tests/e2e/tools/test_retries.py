"""Retries of boto3 when the gateway, or what is behind it, is away for a while."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from longshore.rpc import http_probe
from tests.e2e import stacks
from tests.e2e.tools import aws, families, severing
from tests.engines import ports, processes

MODES = ("legacy", "standard", "adaptive")
ATTEMPTS = 3
PROBE_TIMEOUT_S = 5.0
SOMEBODY = stacks.Credentials("AKIAIOSFODNN7EXAMPLE", "whatever")
NOWHERE = f"{stacks.LOOPBACK}:1"

pytestmark = [pytest.mark.timeout(110)]


@pytest.fixture(scope="module")
def hindered(embedded: stacks.Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of one more gateway of the embedded stack, which is told of a state-tracker that is away."""
    listen = f"{stacks.LOOPBACK}:{ports.free_port()}"
    told = {**embedded.components, "LONGSHORE_STATE_TRACKER": NOWHERE}
    words = ["env", *(f"{name}={value}" for name, value in told.items()), sys.executable, "-m", "longshore.gateway"]
    process = processes.ServerProcess(
        "hindered gateway",
        [*words, "--listen", listen, "--verify", "when-keys-exist", "--call-timeout-s", "0.2"],
        log=tmp_path_factory.mktemp("hindered") / "gateway.log",
    )
    process.start(lambda: http_probe.check(f"http://{listen}", timeout_s=PROBE_TIMEOUT_S).startswith("NOT_SERVING"))
    yield f"http://{listen}"
    process.stop()


def counted(ecs: Any) -> list[str]:
    """Grows by one with each attempt that a client makes."""
    sent: list[str] = []
    ecs.meta.events.register("before-send.ecs", lambda request, **_: sent.append(request.url))
    return sent


@pytest.mark.parametrize("mode", MODES)
def test_what_is_away_is_tried_again_in_every_mode(hindered: str, mode: str) -> None:
    """503 is repeated by the client itself, as often as it was told to; the end of it is an error that says so."""
    ecs = aws.client_at(hindered, SOMEBODY, retries={"mode": mode, "total_max_attempts": ATTEMPTS})
    sent = counted(ecs)
    with pytest.raises(ClientError) as refused:
        ecs.list_tasks()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert refused.value.response["Error"]["Code"] == "ServiceUnavailableException"
    assert len(sent) == ATTEMPTS


@pytest.mark.parametrize("mode", MODES)
def test_what_is_refused_is_not_tried_again(embedded: stacks.Stack, mode: str) -> None:
    """A request that is wrong stays wrong."""
    ecs = aws.client(embedded, retries={"mode": mode, "total_max_attempts": ATTEMPTS})
    sent = counted(ecs)
    with pytest.raises(ecs.exceptions.ClusterNotFoundException):
        ecs.list_tasks(cluster="nowhere")
    assert len(sent) == 1


def test_nobody_there_is_tried_again_too() -> None:
    """A gateway that restarts refuses connections meanwhile."""
    ecs = aws.client_at(f"http://{NOWHERE}", SOMEBODY, retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
    sent = counted(ecs)
    with pytest.raises(EndpointConnectionError):
        ecs.list_clusters()
    assert len(sent) == ATTEMPTS


@pytest.mark.parametrize("mode", MODES)
def test_a_lost_answer_places_nothing_twice(embedded: stacks.Stack, family: str, mode: str) -> None:
    """boto3 sends the repetition under the token of the first attempt, and is answered with the task of that one."""
    definition = families.register(aws.client(embedded), family, "true")
    with severing.relay(embedded, losing=2) as relay:
        ecs = aws.client_at(relay.url, embedded.credentials, retries={"mode": mode, "total_max_attempts": 4})
        (task,) = ecs.run_task(taskDefinition=definition, startedBy=family)["tasks"]
        assert len(relay.requests) == 3
    ecs = aws.client(embedded)
    ecs.get_waiter("tasks_stopped").wait(tasks=[task["taskArn"]], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    assert ecs.list_tasks(startedBy=family)["taskArns"] == []
    assert ecs.list_tasks(family=family, desiredStatus="STOPPED")["taskArns"] == [task["taskArn"]]
