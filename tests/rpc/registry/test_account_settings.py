"""Account settings over gRPC, on either engine."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from longshore.rpc import codec, errors
from longshore.storage import steps
from longshore.storage.database import Database
from longshore.v1 import options_pb2, registry_service_pb2
from tests.rpc.registry.world import Registry, definition

messages = registry_service_pb2

ROOT = "arn:aws:iam::123456789012:root"
USER = "arn:aws:iam::123456789012:user/ada"
Metadata = tuple[tuple[str, str], ...]


class Caller:
    """Somebody who calls the operations on settings."""

    def __init__(self, registry: Registry, metadata: Metadata = ()) -> None:
        self._registry = registry
        self.metadata = metadata

    async def put(self, name: str, value: str, **members: Any) -> Mapping[str, Any]:
        request = codec.from_json(messages.PutAccountSettingRequest, {"name": name, "value": value} | members)
        return codec.to_json((await self._registry.PutAccountSetting(request, metadata=self.metadata)).setting)

    async def put_default(self, name: str, value: str) -> Mapping[str, Any]:
        request = messages.PutAccountSettingDefaultRequest(name=name, value=value)
        return codec.to_json((await self._registry.PutAccountSettingDefault(request, metadata=self.metadata)).setting)

    async def list_(self, **members: Any) -> dict[str, Any]:
        request = codec.from_json(messages.ListAccountSettingsRequest, members)
        return codec.to_json(await self._registry.ListAccountSettings(request, metadata=self.metadata))

    async def value(self, name: str, **members: Any) -> tuple[str, str]:
        """What holds of one setting, and whose it is."""
        (found,) = (await self.list_(name=name, effectiveSettings=True, **members))["settings"]
        return found["value"], found["principalArn"]

    async def delete(self, name: str, **members: Any) -> Mapping[str, Any]:
        request = codec.from_json(messages.DeleteAccountSettingRequest, {"name": name} | members)
        return codec.to_json((await self._registry.DeleteAccountSetting(request, metadata=self.metadata)).setting)


@pytest.fixture
def root(registry: Registry) -> Caller:
    return Caller(registry)


@pytest.fixture
async def ada(registry: Registry) -> Caller:
    """Whoever signs with a key that is called ada."""
    made = await registry.CreateAccessKey(messages.CreateAccessKeyRequest(name="ada", role=options_pb2.ROLE_ADMIN))
    return Caller(
        registry,
        (
            ("longshore-principal", f"access-key:{made.access_key.access_key_id}"),
            ("longshore-request-id", "request-of-ada"),
        ),
    )


async def test_what_was_put_is_answered_and_listed(root: Caller) -> None:
    put = await root.put("containerInsights", "enhanced")

    assert put == {"name": "containerInsights", "value": "enhanced", "principalArn": ROOT, "type": "user"}
    assert await root.list_() == {"settings": [put]}


async def test_everything_that_holds_is_listed_by_name_in_pages(root: Caller) -> None:
    await root.put_default("awsvpcTrunking", "enabled")
    first = await root.list_(effectiveSettings=True)
    second = await root.list_(effectiveSettings=True, nextToken=first["nextToken"])

    assert len(first["settings"]) == 10
    assert "nextToken" not in second
    assert {setting["name"]: setting["value"] for page in (first, second) for setting in page["settings"]} == {
        "awsvpcTrunking": "enabled",
        "containerInsights": "disabled",
        "containerInstanceLongArnFormat": "enabled",
        "defaultLogDriverMode": "non-blocking",
        "dualStackIPv6": "enabled",
        "fargateEventWindows": "disabled",
        "fargateFIPSMode": "disabled",
        "fargateTaskRetirementWaitPeriod": "7",
        "guardDutyActivate": "off",
        "serviceLongArnFormat": "enabled",
        "tagResourceAuthorization": "on",
        "taskLongArnFormat": "enabled",
    }
    types = {setting["name"] for setting in (*first["settings"], *second["settings"]) if setting["type"] != "user"}
    assert types == {"guardDutyActivate"}


async def test_a_users_own_value_comes_before_the_default_of_all(root: Caller, ada: Caller) -> None:
    assert await ada.value("containerInsights") == ("disabled", ROOT)
    await root.put_default("containerInsights", "enabled")
    assert await ada.value("containerInsights") == ("enabled", ROOT)

    put = await ada.put("containerInsights", "enhanced")
    assert put["principalArn"] == USER
    assert await ada.value("containerInsights") == ("enhanced", USER)
    assert await root.value("containerInsights") == ("enabled", ROOT)
    assert await root.value("containerInsights", principalArn=USER) == ("enhanced", USER)

    removed = await ada.delete("containerInsights")
    assert removed == {"name": "containerInsights", "value": "enabled", "principalArn": USER, "type": "user"}
    assert await ada.value("containerInsights") == ("enabled", ROOT)


async def test_what_root_puts_is_the_default_of_all(root: Caller, ada: Caller) -> None:
    await root.put("awsvpcTrunking", "enabled")
    assert await ada.value("awsvpcTrunking") == ("enabled", ROOT)

    removed = await root.delete("awsvpcTrunking", principalArn=ROOT)
    assert (removed["value"], removed["principalArn"]) == ("disabled", ROOT)
    assert await ada.value("awsvpcTrunking") == ("disabled", ROOT)


async def test_only_what_was_put_for_a_principal_is_listed_as_its_own(root: Caller, ada: Caller) -> None:
    await root.put_default("awsvpcTrunking", "enabled")
    await ada.put("dualStackIPv6", "disabled")

    assert [setting["name"] for setting in (await ada.list_())["settings"]] == ["dualStackIPv6"]
    assert [setting["name"] for setting in (await root.list_(principalArn=USER))["settings"]] == ["dualStackIPv6"]
    assert [setting["name"] for setting in (await root.list_())["settings"]] == ["awsvpcTrunking"]


async def test_two_keys_of_one_name_are_one_user_also_when_the_first_is_deleted(
    registry: Registry, ada: Caller
) -> None:
    await ada.put("awsvpcTrunking", "enabled")
    made = await registry.CreateAccessKey(messages.CreateAccessKeyRequest(name="ada", role=options_pb2.ROLE_ADMIN))
    first = ada.metadata[0][1].removeprefix("access-key:")
    await registry.DeleteAccessKey(messages.DeleteAccessKeyRequest(access_key_id=first))

    second = Caller(
        registry,
        (("longshore-principal", f"access-key:{made.access_key.access_key_id}"), ("longshore-request-id", "r")),
    )

    assert await second.value("awsvpcTrunking") == ("enabled", USER)


async def test_users_speak_for_themselves_alone(root: Caller, ada: Caller) -> None:
    assert (await ada.put("awsvpcTrunking", "enabled", principalArn=USER))["principalArn"] == USER

    for call in (
        ada.put("awsvpcTrunking", "enabled", principalArn=ROOT),
        ada.delete("awsvpcTrunking", principalArn="arn:aws:iam::123456789012:user/eve"),
        ada.list_(principalArn=ROOT),
    ):
        with pytest.raises(errors.AccessDeniedException, match="you must be the root user of the account"):
            await call
    assert (await root.put("awsvpcTrunking", "enabled", principalArn="arn:aws:iam::123456789012:role/x"))["value"]


async def test_values_filter_where_a_name_is_given_as_well(root: Caller) -> None:
    await root.put("awsvpcTrunking", "enabled")

    assert len((await root.list_(name="awsvpcTrunking", value="enabled"))["settings"]) == 1
    assert (await root.list_(name="awsvpcTrunking", value="disabled"))["settings"] == []
    with pytest.raises(errors.InvalidParameterException, match="must also specify an account setting name"):
        await root.list_(value="enabled")


@pytest.mark.parametrize("limit", [0, 11])
async def test_a_page_has_between_one_and_ten_rows(root: Caller, limit: int) -> None:
    with pytest.raises(errors.InvalidParameterException, match="between 1 and 10"):
        await root.list_(maxResults=limit)


async def test_unknown_names_bad_values_and_what_aws_manages_are_refused(root: Caller) -> None:
    for call in (
        root.put("nothing", "enabled"),
        root.put_default("containerInsights", "on"),
        root.put("guardDutyActivate", "on"),
        root.put_default("guardDutyActivate", "on"),
        root.delete("guardDutyActivate"),
        root.delete("nothing"),
        root.list_(name="nothing"),
        root.put("taskLongArnFormat", "disabled"),
        root.put("awsvpcTrunking", "enabled", principalArn="ada"),
    ):
        with pytest.raises(errors.InvalidParameterException):
            await call
    assert (await root.list_())["settings"] == []


async def test_a_setting_put_by_many_at_once_has_the_value_of_one(root: Caller) -> None:
    async with asyncio.timeout(20):
        await asyncio.gather(*(root.put("awsvpcTrunking", value) for value in ["enabled", "disabled"] * 10))

    assert (await root.value("awsvpcTrunking"))[0] in {"enabled", "disabled"}


async def test_a_setting_of_a_later_release_is_passed_over(root: Caller, db: Database) -> None:
    await db.run(lambda _: steps.execute("INSERT INTO account_settings VALUES ('root', 'aNewOne', 'enabled')"))

    assert (await root.list_())["settings"] == []
    assert "aNewOne" not in str(await root.list_(effectiveSettings=True))


async def test_container_insights_are_the_default_of_new_clusters(
    registry: Registry, root: Caller, ada: Caller
) -> None:
    async def insights(name: str, caller: Caller, **members: Any) -> str:
        request = codec.from_json(messages.CreateClusterRequest, {"clusterName": name} | members)
        made = await registry.CreateCluster(request, metadata=caller.metadata)
        (setting,) = made.cluster.settings
        assert setting.name == "containerInsights"
        return setting.value

    assert await insights("before", root) == "disabled"
    await root.put_default("containerInsights", "enabled")
    await ada.put("containerInsights", "enhanced")

    assert await insights("of-root", root) == "enabled"
    assert await insights("of-ada", ada) == "enhanced"
    said = [{"name": "containerInsights", "value": "disabled"}]
    assert await insights("as-told", ada, settings=said) == "disabled"
    assert await insights("before", root) == "disabled"


async def test_who_registered_a_definition_is_the_user_of_the_key(registry: Registry, ada: Caller) -> None:
    made = await registry.RegisterTaskDefinition(definition(), metadata=ada.metadata)
    first = ada.metadata[0][1].removeprefix("access-key:")
    await registry.DeleteAccessKey(messages.DeleteAccessKeyRequest(access_key_id=first))
    described = await registry.DescribeTaskDefinition(messages.DescribeTaskDefinitionRequest(task_definition="site"))

    assert made.task_definition.registered_by == described.task_definition.registered_by == USER
