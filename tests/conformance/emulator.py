"""The moto server: the emulator of ECS that most tests of other projects run against. A process on a free loopback port."""

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore import exceptions, xform_name

from tests.conformance import comparing, script, world
from tests.engines import ports
from tests.engines.processes import ServerProcess

ASK_BOUND_S = 5.0
"""A page of the emulator's own."""


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """The emulator for the time of the block, with one container instance in the cluster `default`; gives its URL."""
    port = ports.free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = ServerProcess("moto", command, log=folder / "moto.log")
    process.start(lambda: _serves(url))
    try:
        _add_instance(url)
        yield url
    finally:
        process.stop()


def outcomes(ecs: Any) -> Iterator[tuple[script.Step, comparing.Outcome]]:
    """What comes of each call of the script."""
    kept: dict[str, Any] = {}
    for step in script.STEPS:
        try:
            answer = getattr(ecs, xform_name(step.operation))(**_filled(step.arguments, kept))
        except exceptions.ClientError as error:
            told = error.response["Error"]
            yield step, comparing.Outcome(code=told["Code"], message=told["Message"])
            continue
        for name, path in step.keep.items():
            kept[name] = _at(answer, path)
        yield step, comparing.Outcome(answer=answer)


def _filled(value: Any, kept: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(item, kept) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, kept) for item in value]
    return kept[value[1:]] if isinstance(value, str) and value.startswith("$") else value


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value[int(step)] if step.isdigit() else value[step]
    return value


def _serves(url: str) -> bool:
    try:
        return httpx.get(f"{url}/moto-api/", timeout=ASK_BOUND_S).is_success
    except httpx.TransportError:
        return False


def _add_instance(url: str) -> None:
    """A container instance is a machine of the emulator's EC2, told by its identity document."""
    ecs, ec2 = (
        boto3.client(
            name,
            endpoint_url=url,
            region_name=world.REGION,
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        )
        for name in ("ecs", "ec2")
    )
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    machine = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ecs.create_cluster(clusterName=world.CLUSTER)
    document = json.dumps({"instanceId": machine, "accountId": world.ACCOUNT, "region": world.REGION})
    ecs.register_container_instance(cluster=world.CLUSTER, instanceIdentityDocument=document)
    ecs.close()
    ec2.close()
