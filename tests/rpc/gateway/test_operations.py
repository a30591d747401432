"""Operations over HTTP, end to end: each is the RPC of its name, for whoever asks, in ECS's own form."""

import asyncio
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import exceptions
from botocore.config import Config as BotocoreConfig

from longshore.gateway import answering
from longshore.v1 import registry_service_pb2
from tests.rpc.gateway import world


def _boto3(stack: world.Stack, region: str = "us-east-1") -> Any:
    return boto3.client(
        "ecs",
        endpoint_url=stack.url,
        region_name=region,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="anything",
        config=BotocoreConfig(retries={"total_max_attempts": 1}),
    )


async def _tooled(stack: world.Stack, work: Callable[[Any], Any], region: str = "us-east-1") -> Any:
    """What a person's script does with boto3, in a thread."""

    def run() -> Any:
        client = _boto3(stack, region)
        try:
            return work(client)
        finally:
            client.close()

    async with asyncio.timeout(world.BOUND_S):
        return await asyncio.to_thread(run)


async def test_boto3_makes_lists_describes_and_deletes_clusters_in_its_own_region(stack: world.Stack) -> None:
    def script(ecs: Any) -> Any:
        made = ecs.create_cluster(clusterName="web", tags=[{"key": "team", "value": "a"}])
        listed = ecs.list_clusters()
        described = ecs.describe_clusters(clusters=["web", "gone"], include=["TAGS"])
        deleted = ecs.delete_cluster(cluster=made["cluster"]["clusterArn"])
        return made, listed, described, deleted

    made, listed, described, deleted = await _tooled(stack, script, region="eu-west-3")

    arn = "arn:aws:ecs:eu-west-3:123456789012:cluster/web"
    assert made["cluster"]["clusterArn"] == arn
    assert listed["clusterArns"] == [arn]
    assert [cluster["tags"] for cluster in described["clusters"]] == [[{"key": "team", "value": "a"}]]
    assert [failure["reason"] for failure in described["failures"]] == ["MISSING"]
    assert deleted["cluster"]["status"] == "INACTIVE"


async def test_boto3_registers_a_definition_and_runs_into_ecs_own_refusals(stack: world.Stack) -> None:
    def script(ecs: Any) -> Any:
        ecs.create_cluster(clusterName="web")
        registered = ecs.register_task_definition(
            family="app", containerDefinitions=[{"name": "main", "image": "busybox", "memory": 64}]
        )
        with pytest.raises(ecs.exceptions.ClusterNotFoundException) as unknown:
            ecs.list_tasks(cluster="nowhere")
        with pytest.raises(ecs.exceptions.InvalidParameterException) as unplaced:
            ecs.run_task(cluster="web", taskDefinition="app")
        return registered, unknown.value.response, unplaced.value.response

    registered, unknown, unplaced = await _tooled(stack, script)

    assert registered["taskDefinition"]["taskDefinitionArn"].endswith(":task-definition/app:1")
    assert registered["taskDefinition"]["registeredAt"].year >= 2020  # a timestamp, not text
    assert unknown["Error"] == {"Code": "ClusterNotFoundException", "Message": "Cluster not found."}
    assert unknown["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert unplaced["Error"]["Message"] == "No Container Instances were found in your cluster."


async def test_an_operation_of_ecs_that_is_not_there_is_unknown_and_not_repeated(stack: world.Stack) -> None:
    with pytest.raises(exceptions.ClientError) as caught:
        await _tooled(
            stack,
            lambda ecs: ecs.create_capacity_provider(name="x", autoScalingGroupProvider={"autoScalingGroupArn": "a"}),
        )
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


async def test_an_answer_has_the_headers_that_ecs_sends_and_an_id_of_its_own(stack: world.Stack) -> None:
    first, second = await stack.call("ListClusters"), await stack.call("ListClusters")
    assert (first.status, first.json) == (200, {"clusterArns": []})
    assert first.headers["content-type"] == "application/x-amz-json-1.1"
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", first.headers["date"])
    ids = [uuid.UUID(answer.headers["x-amzn-requestid"]) for answer in (first, second)]
    assert ids[0] != ids[1]


@pytest.mark.parametrize("body", [b"", b"{}", b" {} ", b'{"clusters":null}'])
async def test_an_empty_body_is_an_empty_object(stack: world.Stack, body: bytes) -> None:
    async with asyncio.timeout(world.BOUND_S):
        peer = await stack.connect()
        await peer.send(world.request("DescribeClusters", body=body, content_length=str(len(body)) if body else "0"))
        answer = await peer.answer()
        await peer.aclose()
    assert (answer.status, [failure["reason"] for failure in answer.json["failures"]]) == (200, ["MISSING"])


async def test_documents_that_are_converted_in_a_thread_are_answered_like_any_other(
    stack: world.Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = [{"name": f"NAME_{number}", "value": "v" * 100} for number in range(400)]
    container = {"name": "main", "image": "busybox", "memory": 64, "environment": environment}
    document = {"family": "app", "containerDefinitions": [container]}
    usual = await stack.call("RegisterTaskDefinition", document)
    monkeypatch.setattr(answering, "LARGE_BYTES", 1_000)
    large = await stack.call("RegisterTaskDefinition", document)
    refused = await stack.call("RegisterTaskDefinition", document | {"nonsense": 1})
    assert (usual.status, large.status) == (200, 200)
    shown = [answer.json["taskDefinition"]["containerDefinitions"] for answer in (usual, large)]
    assert shown[0] == shown[1]
    assert shown[0][0]["environment"] == environment
    assert (refused.status, refused.reason) == (400, "SerializationException")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "a list"),
        (b'"x"', "a string"),
        (b"nonsense", "not JSON"),
        (b'{"maxResults": "7"}', "maxResults"),
        (b'{"maxresults": 7}', "maxResults"),
        (b'{"maxResults": 7, "maxResults": 8}', "maxResults"),
        (b'{"nextToken": "\xff"}', "not UTF-8"),
        (b'{"nextToken": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"maxResults": ' + b"9" * 10_000 + b"}", "digits"),
        (b'{"maxResults": NaN}', "NaN"),
    ],
    ids=["cut", "list", "text", "words", "type", "case", "twice", "utf8", "deep", "digits", "nan"],
)
async def test_what_cannot_be_read_is_refused_by_name(stack: world.Stack, body: bytes, said: str) -> None:
    peer = await stack.connect()
    await peer.send(world.request("ListClusters", body=body))
    answer = await peer.answer()
    await peer.aclose()
    assert (answer.status, answer.reason) == (400, "SerializationException")
    assert said in answer.json["message"]
    assert "Traceback" not in answer.json["message"]


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"x_amz_target": ""}, 400, "UnknownOperationException"),
        ({"x_amz_target": "ListClusters"}, 400, "UnknownOperationException"),
        ({"x_amz_target": "DynamoDB_20120810.ListTables"}, 400, "UnknownOperationException"),
        ({"x_amz_target": "AmazonEC2ContainerServiceV20141113.WatchEvents"}, 400, "UnknownOperationException"),
        ({"x_amz_target": "AmazonEC2ContainerServiceV20141113.GetSigningKey"}, 400, "UnknownOperationException"),
        ({"x_amz_target": "AmazonEC2ContainerServiceV20141113.listClusters"}, 400, "UnknownOperationException"),
        ({"content_type": ""}, 415, "UnsupportedMediaTypeException"),
        ({"content_type": "application/json"}, 415, "UnsupportedMediaTypeException"),
        ({"content_type": "text/plain"}, 415, "UnsupportedMediaTypeException"),
        ({"content_encoding": "gzip"}, 415, "UnsupportedMediaTypeException"),
        ({"host": "evil.example"}, 403, "AccessDeniedException"),
        ({"origin": "http://evil.example"}, 403, "AccessDeniedException"),
        ({"origin": "null"}, 403, "AccessDeniedException"),
    ],
)
async def test_what_is_no_request_of_this_protocol_is_refused(
    stack: world.Stack, headers: dict[str, Any], status: int, reason: str
) -> None:
    answer = await stack.call("ListClusters", {}, **headers)
    assert (answer.status, answer.reason) == (status, reason)
    assert answer.json["message"]
    assert str(uuid.UUID(answer.headers["x-amzn-requestid"])) == answer.headers["x-amzn-requestid"]


async def test_a_charset_and_an_identity_encoding_are_allowed(stack: world.Stack) -> None:
    answer = await stack.call(
        "ListClusters", {}, content_type="Application/X-Amz-Json-1.1; charset=UTF-8", content_encoding="identity"
    )
    assert answer.status == 200


async def test_members_that_are_ours_alone_are_there_only_for_those_who_ask_for_them(stack: world.Stack) -> None:
    await stack.call("CreateCluster", {})
    host = {
        "totalResources": [
            {"name": "CPU", "type": "INTEGER", "integerValue": 1024},
            {"name": "MEMORY", "type": "INTEGER", "integerValue": 2048},
        ]
    }
    again = host | {"instanceCredential": "x"}
    plain = await stack.call("RegisterContainerInstance", host)
    extended = await stack.call("RegisterContainerInstance", host, x_longshore_extensions="true")
    refused = await stack.call("RegisterContainerInstance", again)
    taken = await stack.call("RegisterContainerInstance", again, x_longshore_extensions="True")

    assert (plain.status, "instanceCredential" in plain.json) == (200, False)
    assert extended.json["instanceCredential"]
    assert (refused.status, refused.reason) == (400, "SerializationException")
    assert "instanceCredential" in refused.json["message"]
    assert taken.status == 200


async def test_what_the_gateway_was_asked_for_is_there_over_grpc(stack: world.Stack) -> None:
    await stack.call("CreateCluster", {"clusterName": "web"})
    listed = await stack.client.call(stack.client.registry.ListClusters, registry_service_pb2.ListClustersRequest())
    assert listed.cluster_arns == ["arn:aws:ecs:us-east-1:123456789012:cluster/web"]


async def test_a_component_that_is_away_is_503_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world.stack(tmp_path, call_timeout_s=0.5) as stack:
        await stack.call("CreateCluster", {})
        await stack.plane.stop("state_tracker")
        away = await stack.call("ListTasks", {})
        there = await stack.call("ListClusters", {})
    assert (away.status, away.reason) == (503, "ServiceUnavailableException")
    assert there.status == 200
    logged = [line for line in capsys.readouterr().out.splitlines() if "request_unanswered" in line]
    assert len(logged) == 1
    assert away.headers["x-amzn-requestid"] in logged[0]


async def test_an_unverified_gateway_is_away_with_the_registry_that_knows_whether_there_are_keys(
    tmp_path: Path,
) -> None:
    async with world.stack(tmp_path, call_timeout_s=0.5) as stack:
        await stack.plane.stop("registry")
        answer = await stack.call("ListTasks", {})
    assert (answer.status, answer.reason) == (503, "ServiceUnavailableException")
