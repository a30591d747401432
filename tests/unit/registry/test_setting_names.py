"""The account settings that there are, held against botocore's model."""

from typing import Any

import botocore.loaders
import pytest

from longshore.registry import principals, setting_names
from longshore.rpc import arns, errors

PLACE = arns.Place(account="123456789012", region="us-east-1")


def _model() -> Any:
    return botocore.loaders.Loader().load_service_model("ecs", "service-2", "2014-11-13")


def test_every_setting_of_the_model_is_there() -> None:
    assert set(_model()["shapes"]["SettingName"]["enum"]) | {"dualStackIPv6"} == set(setting_names.NAMES)


def test_what_holds_where_nothing_was_put_could_have_been_put() -> None:
    assert all(setting.default in setting.values for setting in setting_names.NAMES.values())
    assert list(setting_names.NAMES) == sorted(setting_names.NAMES)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("nothing", "enabled", "nothing should be one of [awsvpcTrunking,containerInsights,"),
        ("", "enabled", "should be one of ["),
        ("containerInsights", "on", "on should be one of [enabled,disabled,enhanced]"),
        ("containerInsights", "", "should be one of [enabled,disabled,enhanced]"),
        ("fargateTaskRetirementWaitPeriod", "8", "8 should be one of [0,7,14]"),
        ("guardDutyActivate", "on", "guardDutyActivate is managed by AWS"),
        ("taskLongArnFormat", "disabled", "You can no longer disable Long Arn settings"),
    ],
)
def test_what_cannot_be_put_is_refused_in_words(name: str, value: str, message: str) -> None:
    with pytest.raises(errors.InvalidParameterException) as caught:
        setting_names.check(name, value)

    assert message in caught.value.message


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::123456789012:root", "root"),
        ("arn:aws:iam::123456789012:user/ada", "user/ada"),
        ("arn:aws:iam::123456789012:user/team/ada@shop", "user/team/ada@shop"),
        ("arn:aws-cn:iam::123456789012:role/deploy", "role/deploy"),
    ],
)
def test_principals_are_known_by_what_stands_behind_the_account(arn: str, name: str) -> None:
    assert principals.of_arn(arn, PLACE) == name
    assert principals.arn(name, PLACE) == arn.replace("aws-cn", "aws")


@pytest.mark.parametrize(
    ("arn", "message"),
    [
        ("ada", "Invalid principal arn"),
        ("arn:aws:iam::123456789012:group/x", "Invalid principal arn"),
        ("arn:aws:iam::123456789012:user/", "Invalid principal arn"),
        ("arn:aws:iam::123456789012:user/a\x00b", "Invalid principal arn"),
        ("arn:aws:sts::123456789012:assumed-role/x/y", "Invalid principal arn"),
        ("arn:aws:iam::999999999999:root", "of the account 999999999999. Your accountId is 123456789012"),
    ],
)
def test_what_names_no_principal_of_the_account_is_refused(arn: str, message: str) -> None:
    with pytest.raises(errors.InvalidParameterException) as caught:
        principals.of_arn(arn, PLACE)

    assert message in caught.value.message
