"""What boto3 makes of refusals, and what becomes of every input that it can make."""

import uuid
from typing import Any

import botocore
import pytest
from botocore import session as botocore_session
from botocore import utils as botocore_utils
from botocore.exceptions import ClientError

from tests.e2e import machines
from tests.e2e.tools import aws

UNKNOWN = "0" * 32
REFUSED_ANYWHERE = frozenset({"ClientException", "InvalidParameterException"})

pytestmark = [pytest.mark.timeout(110)]


@pytest.mark.parametrize(
    ("operation", "asked", "code"),
    [
        ("list_tasks", {"cluster": "nowhere"}, "ClusterNotFoundException"),
        ("run_task", {"taskDefinition": "nothing"}, "ClientException"),
        ("describe_tasks", {"tasks": []}, "InvalidParameterException"),
        ("list_tags_for_resource", {"resourceArn": "no-arn"}, "InvalidParameterException"),
        ("put_account_setting", {"name": "dualStackIPv6", "value": "perhaps"}, "InvalidParameterException"),
        ("create_cluster", {"clusterName": "a b"}, "InvalidParameterException"),
        ("put_attributes", {"attributes": [{"name": "a", "targetId": UNKNOWN}]}, "TargetNotFoundException"),
    ],
)
def test_refusals_are_the_client_s_own_exceptions(ecs: Any, operation: str, asked: dict[str, Any], code: str) -> None:
    """A handler for the class of the model catches them; code, status, message and request id are there."""
    with pytest.raises(getattr(ecs.exceptions, code)) as refused:
        getattr(ecs, operation)(**asked)
    response = refused.value.response
    assert response["Error"]["Code"] == code
    assert response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert uuid.UUID(response["ResponseMetadata"]["RequestId"]).version == 4


def test_an_operation_that_is_not_there_is_unknown(ecs: Any) -> None:
    """As ECS answers a target that it does not know."""
    with pytest.raises(ClientError) as refused:
        ecs.list_services()
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"


def test_whatever_a_skeleton_fills_in_is_read(machine: machines.Machine) -> None:
    """Every member of the model, of its own type: answered, or refused for what it says, but never as unreadable.

    It is what --generate-cli-skeleton prints, so a user's file may have all of it in it.
    """
    machine.command("up", "--detach", "--no-agent")
    ecs = aws.client(machine, parameter_validation=False, retries={"total_max_attempts": 1})
    model = botocore_session.get_session().get_service_model("ecs")
    odd: dict[str, str] = {}
    for operation in sorted(aws.offered()):
        described = model.operation_model(operation)
        skeleton = botocore_utils.ArgumentGenerator().generate_skeleton(described.input_shape)
        try:
            getattr(ecs, botocore.xform_name(operation))(**skeleton)
        except ClientError as refused:
            error = refused.response["Error"]
            declared = {shape.name for shape in described.error_shapes} | REFUSED_ANYWHERE
            if error["Code"] not in declared:
                odd[operation] = str(refused)
    assert odd == {}
