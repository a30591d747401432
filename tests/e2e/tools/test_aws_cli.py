"""The aws cli against a whole Longshore: every command of `aws ecs` that has an operation, outputs, pages, waits and refusals."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import stacks, waits
from tests.e2e.tools import aws

pytestmark = [pytest.mark.timeout(110)]

CLUSTER = "cli"
TOUR = Path(__file__).parents[3] / "examples/aws-cli.sh"
HERE = Path(__file__)


@pytest.fixture(scope="module")
def family(embedded: stacks.Stack) -> Iterator[str]:
    """A family of three revisions."""
    name = "cli-family"
    ecs = aws.client(embedded)
    for _ in range(3):
        ecs.register_task_definition(family=name, containerDefinitions=[aws.container()])
    yield name
    names = [f"{name}:{revision}" for revision in (1, 2, 3)]
    for revision in names:
        ecs.deregister_task_definition(taskDefinition=revision)
    ecs.delete_task_definitions(taskDefinitions=names)


def test_every_operation_has_a_command_that_is_driven() -> None:
    """Whoever adds an operation adds its command of the aws cli to the tour or to this file."""
    words = set(re.findall(r"\b(?:ecs|show|register|quietly|run) ([a-z]+(?:-[a-z]+)+)", TOUR.read_text()))
    words |= set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', HERE.read_text()))
    commands = {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower(): name for name in aws.offered()}
    assert sorted(name for command, name in commands.items() if command not in words) == []


def test_an_instance_that_somebody_else_registers(embedded: stacks.Stack) -> None:
    """The commands of instances, attributes and what an agent of ECS would call: on an instance without an agent of ours."""

    def ecs(*words: str) -> object:
        return aws.answer(embedded, *words)

    ecs("create-cluster", "--cluster-name", CLUSTER)
    resources = ["name=CPU,type=INTEGER,integerValue=1024", "name=MEMORY,type=INTEGER,integerValue=512"]
    arn = str(
        ecs(
            *("register-container-instance", "--cluster", CLUSTER, "--total-resources", *resources),
            *("--query", "containerInstance.containerInstanceArn"),
        )
    )
    at = ("--cluster", CLUSTER)
    assert ecs("list-container-instances", *at, "--query", "containerInstanceArns") == [arn]
    shown = ("--query", "containerInstances[].[status, agentConnected]")
    assert ecs("describe-container-instances", *at, "--container-instances", arn, *shown) == [["ACTIVE", False]]
    drain = ("update-container-instances-state", *at, "--container-instances", arn, "--status", "DRAINING")
    assert ecs(*drain, *shown) == [["DRAINING", False]]
    attribute = f"name=rack,value=7,targetType=container-instance,targetId={arn}"
    ecs("put-attributes", *at, "--attributes", attribute)
    listing = ("list-attributes", *at, "--target-type", "container-instance", "--attribute-name", "rack")
    assert ecs(*listing, "--query", "attributes[].[name, value]") == [["rack", "7"]]
    ecs("delete-attributes", *at, "--attributes", f"name=rack,targetType=container-instance,targetId={arn}")
    assert ecs(*listing, "--query", "attributes") == []
    assert str(ecs("discover-poll-endpoint", *at, "--container-instance", arn, "--query", "endpoint"))
    update = ("update-container-agent", *at, "--container-instance", arn)
    assert "Exception) when calling the UpdateContainerAgent operation" in refusal(embedded, *update)
    gone = ("deregister-container-instance", *at, "--container-instance", arn, "--force")
    assert ecs(*gone, "--query", "containerInstance.status") == "INACTIVE"
    ecs("delete-cluster", *at)


def test_what_an_agent_would_submit_of_a_task_that_nobody_knows(embedded: stacks.Stack) -> None:
    """Each is answered by its operation, be it with an acknowledgment or with a refusal of ECS's form."""
    task = f"arn:aws:ecs:us-east-1:123456789012:task/default/{'0' * 32}"
    attachment = f"attachmentArn=arn:aws:ecs:us-east-1:123456789012:attachment/{'0' * 32},status=ATTACHED"
    for command in (
        ("submit-task-state-change", "--task", task, "--status", "STOPPED"),
        ("submit-container-state-change", "--task", task, "--container-name", "main", "--status", "STOPPED"),
        ("submit-attachment-state-changes", "--attachments", attachment),
    ):
        done = aws.cli(embedded, "ecs", *command, "--output", "json", check=False)
        if done.returncode:
            assert re.search(r"An error occurred \((Client|InvalidParameter|AccessDenied)Exception\)", done.stderr), (
                done
            )
        else:
            assert json.loads(done.stdout)["acknowledgment"]


def test_start_task_and_the_rest_of_a_cluster(embedded: stacks.Stack, family: str) -> None:
    """StartTask on the instance that is named; capacity providers, configuration, the settings of everybody, families."""

    def ecs(*words: str) -> object:
        return aws.answer(embedded, *words)

    instances = ecs("list-container-instances", "--query", "containerInstanceArns")
    assert isinstance(instances, list)
    query = ("--query", "tasks[].taskArn")
    started = ecs("start-task", "--task-definition", family, "--container-instances", instances[0], *query)
    assert isinstance(started, list)
    waits.until_running(embedded, started)
    ecs("stop-task", "--task", started[0])
    assert ecs("list-task-definition-families", "--family-prefix", family, "--query", "families") == [family]
    ecs("update-cluster", "--cluster", "default", "--settings", "name=containerInsights,value=disabled")
    providers = ("put-cluster-capacity-providers", "--cluster", "default", "--capacity-providers")
    ecs(*providers, "--default-capacity-provider-strategy", "--query", "cluster.capacityProviders")
    ecs("describe-capacity-providers", "--query", "capacityProviders")
    default = ("put-account-setting-default", "--name", "containerInsights", "--value", "disabled")
    assert ecs(*default, "--query", "setting.[name, value]") == ["containerInsights", "disabled"]
    waits.until_stopped(embedded, started)


def test_json_text_and_table(embedded: stacks.Stack, family: str) -> None:
    """The cli makes its outputs of what it is answered; version 2 has YAML besides."""
    words = ("ecs", "describe-task-definition", "--task-definition", f"{family}:2", "--query")
    brief = "taskDefinition.{family: family, revision: revision, cpu: containerDefinitions[0].cpu}"
    expected = {"family": family, "revision": 2, "cpu": 16}
    assert json.loads(aws.cli(embedded, *words, brief, "--output", "json").stdout) == expected
    assert aws.cli(embedded, *words, brief, "--output", "text").stdout.split() == ["16", family, "2"]
    table = aws.cli(embedded, *words, brief, "--output", "table").stdout
    assert "DescribeTaskDefinition" in table
    assert re.search(rf"\|\s+family\s+\|\s+{family}\s+\|", table) or re.search(rf"\|\s+16\s+\|\s+{family}\s+\|", table)
    if aws.is_version_2():
        assert f"family: {family}\n" in aws.cli(embedded, *words, brief, "--output", "yaml").stdout


def test_pages(embedded: stacks.Stack, family: str) -> None:
    """--page-size is how many are asked for at a time, --max-items how many are shown; the token goes on behind them."""
    listing = ("list-task-definitions", "--family-prefix", family)
    every = aws.answer(embedded, *listing, "--page-size", "1")["taskDefinitionArns"]
    assert [arn.rpartition("/")[2] for arn in every] == [f"{family}:{revision}" for revision in (1, 2, 3)]
    first = aws.answer(embedded, *listing, "--page-size", "2", "--max-items", "1")
    assert first["taskDefinitionArns"] == every[:1]
    rest = aws.answer(embedded, *listing, "--page-size", "2", "--starting-token", first["NextToken"])
    assert rest["taskDefinitionArns"] == every[1:]
    single = aws.answer(embedded, *listing, "--max-results", "2", "--no-paginate")
    assert (single["taskDefinitionArns"], "nextToken" in single) == (every[:2], True)


def test_input_by_file_and_skeleton(embedded: stacks.Stack, tmp_path: Path) -> None:
    """What --generate-cli-skeleton prints, filled in, is what --cli-input-json takes; flags beat the file."""
    skeleton = aws.answer(embedded, "run-task", "--generate-cli-skeleton")
    assert "taskDefinition" in skeleton
    file = tmp_path / "list.json"
    file.write_text(json.dumps({**aws.answer(embedded, "list-tasks", "--generate-cli-skeleton"), **LISTING}))
    answer = aws.answer(embedded, "list-tasks", "--cli-input-json", file.as_uri(), "--no-paginate")
    assert answer["taskArns"] == []


LISTING = {
    "cluster": "default",
    "containerInstance": "",
    "family": "no-such-family",
    "nextToken": "",
    "maxResults": 10,
    "launchType": "EC2",
}
"""A skeleton's answers of somebody who filled in what matters and left the rest empty."""


def refusal(stack: stacks.Stack, *words: str) -> str:
    """What a command that the service refuses prints."""
    done = aws.cli(stack, "ecs", *words, check=False)
    assert done.returncode in aws.SERVICE_REFUSED, done
    assert done.stdout == ""
    return done.stderr.strip()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "list-tasks --cluster nowhere",
            "(ClusterNotFoundException) when calling the ListTasks operation: Cluster not found.",
        ),
        (
            "describe-task-definition --task-definition nothing",
            "(ClientException) when calling the DescribeTaskDefinition operation: Unable to describe task definition.",
        ),
        (
            "stop-task --task 00000000000000000000000000000000",
            "(InvalidParameterException) when calling the StopTask operation: The referenced task was not found.",
        ),
        ("list-services", "(UnknownOperationException) when calling the ListServices operation"),
    ],
)
def test_refusals_are_ecs_s(embedded: stacks.Stack, words: str, told: str) -> None:
    """Exit status, exception and message are those that scripts look for."""
    assert f"An error occurred {told}" in refusal(embedded, *words.split())


def test_a_wait_that_cannot_succeed_ends_at_once(embedded: stacks.Stack) -> None:
    """A task that is not there is a failure of the waiter, not a hundred attempts."""
    done = aws.cli(embedded, "ecs", "wait", "tasks-running", "--tasks", "0" * 32, check=False)
    assert done.returncode == 255
    assert "Waiter TasksRunning failed" in done.stderr


def test_the_endpoint_comes_by_flag_variable_and_profile(embedded: stacks.Stack, tmp_path: Path) -> None:
    """Each way of the guide leads to the stack: the flag, both variables, a profile with a services section."""
    profile = tmp_path / "config"
    profile.write_text(
        "[profile longshore]\nregion = us-east-1\nservices = longshore\naws_access_key_id = local\n"
        f"aws_secret_access_key = local\n\n[services longshore]\necs =\n  endpoint_url = {embedded.gateway}\n"
    )
    bare = aws.environ(embedded)
    del bare["AWS_ENDPOINT_URL_ECS"]
    keyless = {name: value for name, value in bare.items() if "KEY" not in name and name != "AWS_DEFAULT_REGION"}
    listing = ("ecs", "list-clusters", "--query", "clusterArns[]", "--output", "text")
    for words, env in (
        (("--endpoint-url", embedded.gateway), bare),
        ((), bare | {"AWS_ENDPOINT_URL_ECS": embedded.gateway}),
        ((), bare | {"AWS_ENDPOINT_URL": embedded.gateway}),
        (("--profile", "longshore"), keyless | {"AWS_CONFIG_FILE": str(profile)}),
    ):
        assert "cluster/default" in aws.cli(embedded, *listing, *words, env=env).stdout, words


def test_an_embedded_stack_answers_in_the_region_it_is_asked_in(embedded: stacks.Stack) -> None:
    """The ARNs carry it, and an ARN of any region names the same thing."""
    query = ("--query", "clusters[0].clusterArn", "--output", "text")
    words = ("ecs", "describe-clusters", "--region", "eu-west-3", *query)
    arn = aws.cli(embedded, *words).stdout.strip()
    assert arn == "arn:aws:ecs:eu-west-3:123456789012:cluster/default"
    described = aws.cli(embedded, "ecs", "describe-clusters", "--region", "us-west-2", "--clusters", arn, *query)
    assert described.stdout.strip() == "arn:aws:ecs:us-west-2:123456789012:cluster/default"
