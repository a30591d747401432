"""Access keys over gRPC, on either engine."""
# ruff: noqa: ASYNC240 - short files of the test's own

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog import testing

from longshore.events import memory_bus
from longshore.registry import access_key_rows, access_keys, app, seal_file, sealing, signing
from longshore.registry.config import Config
from longshore.rpc import channels, codec, errors
from longshore.storage import steps
from longshore.storage.database import Database
from longshore.v1 import account_pb2, options_pb2, registry_service_pb2, registry_service_pb2_grpc
from tests.rpc.registry.world import Registry

messages = registry_service_pb2

DAY = "20261122"
BOUND_S = 20.0


@asynccontextmanager
async def _serving(db: Database, seal_key_file: Path | None, *, make: bool = False) -> AsyncIterator[Registry]:
    """Another registry over the same database, with a seal key file of its own."""
    config = Config(listen="127.0.0.1:0", seal_key_file=seal_key_file, make_seal_key=make)
    async with (
        app.serve(config, database=db, bus=memory_bus.MemoryBus()) as serving,
        channels.connect(serving.address) as channel,
    ):
        yield registry_service_pb2_grpc.RegistryServiceStub(channel)


async def _create(
    registry: Registry, name: str = "ci", role: options_pb2.Role.ValueType = options_pb2.ROLE_RUN
) -> messages.CreateAccessKeyResponse:
    return await registry.CreateAccessKey(messages.CreateAccessKeyRequest(name=name, role=role))


async def _list(registry: Registry) -> list[account_pb2.AccessKey]:
    return list((await registry.ListAccessKeys(messages.ListAccessKeysRequest())).access_keys)


def _asking(access_key_id: str, *, date: str = DAY, region: str = "us-east-1") -> messages.GetSigningKeyRequest:
    return messages.GetSigningKeyRequest(access_key_id=access_key_id, date=date, region=region)


async def test_a_key_is_answered_with_its_secret_once_and_listed_without(registry: Registry) -> None:
    made = await _create(registry)
    listed = await _list(registry)

    assert listed == [made.access_key]
    assert signing.ID.fullmatch(made.access_key.access_key_id)
    assert len(made.secret_access_key) == 40
    assert codec.to_json(made.access_key) == {
        "accessKeyId": made.access_key.access_key_id,
        "name": "ci",
        "role": "run",
        "createdAt": pytest.approx(made.access_key.created_at.ToNanoseconds() / 1e9),
        "createdBy": "local-admin",
    }


async def test_a_gateway_is_told_the_derived_key_and_nothing_of_the_secret(registry: Registry) -> None:
    made = await _create(registry)

    told = await registry.GetSigningKey(_asking(made.access_key.access_key_id, region="eu-west-1"))

    assert told.signing_key == signing.signing_key(made.secret_access_key, day=DAY, region="eu-west-1")
    assert told.access_key == made.access_key
    assert told.any_access_key
    assert made.secret_access_key.encode() not in told.SerializeToString()


async def test_whether_there_is_any_key_is_told_without_naming_one(registry: Registry) -> None:
    asking = messages.GetSigningKeyRequest()
    before = await registry.GetSigningKey(asking)
    made = await _create(registry)
    during = await registry.GetSigningKey(asking)
    await registry.DeleteAccessKey(messages.DeleteAccessKeyRequest(access_key_id=made.access_key.access_key_id))
    after = await registry.GetSigningKey(asking)

    assert [answer.any_access_key for answer in (before, during, after)] == [False, True, False]
    assert not during.signing_key
    assert not during.HasField("access_key")


async def test_a_deleted_key_signs_nothing_any_more(registry: Registry) -> None:
    made = await _create(registry)
    access_key_id = made.access_key.access_key_id

    answer = await registry.DeleteAccessKey(messages.DeleteAccessKeyRequest(access_key_id=access_key_id))

    assert answer.access_key == made.access_key
    assert await _list(registry) == []
    with pytest.raises(errors.ResourceNotFoundException, match=f"There is no access key {access_key_id}"):
        await registry.GetSigningKey(_asking(access_key_id))
    with pytest.raises(errors.ResourceNotFoundException):
        await registry.DeleteAccessKey(messages.DeleteAccessKeyRequest(access_key_id=access_key_id))


@pytest.mark.parametrize("access_key_id", ["AKLSABCDEFGHIJKLMNOP", "test", "a\x00b", "x" * 5000])
async def test_a_key_that_never_was_is_not_found_whatever_it_looks_like(registry: Registry, access_key_id: str) -> None:
    with pytest.raises(errors.ResourceNotFoundException):
        await registry.GetSigningKey(_asking(access_key_id))
    with pytest.raises(errors.ResourceNotFoundException):
        await registry.DeleteAccessKey(messages.DeleteAccessKeyRequest(access_key_id=access_key_id))


@pytest.mark.parametrize(("date", "region"), [("", "us-east-1"), ("2026-11-22", "us-east-1"), (DAY, ""), (DAY, "a b")])
async def test_a_scope_that_is_none_is_refused(registry: Registry, date: str, region: str) -> None:
    with pytest.raises(errors.InvalidParameterException, match="date and region are required"):
        await registry.GetSigningKey(_asking("AKLSABCDEFGHIJKLMNOP", date=date, region=region))


@pytest.mark.parametrize(
    ("name", "role", "field"),
    [
        ("", options_pb2.ROLE_RUN, "name"),
        ("a b", options_pb2.ROLE_RUN, "name"),
        ("x" * 65, options_pb2.ROLE_RUN, "name"),
        ("ci", options_pb2.ROLE_UNSPECIFIED, "role"),
        ("ci", 99, "role"),
    ],
)
async def test_a_key_needs_a_name_and_a_role(
    registry: Registry, name: str, role: options_pb2.Role.ValueType, field: str
) -> None:
    with pytest.raises(errors.InvalidParameterException, match=f"{field} is required") as caught:
        await _create(registry, name, role)

    assert caught.value.metadata["field"] == field


async def test_pages_of_keys_are_by_id_and_two_keys_may_bear_one_name(registry: Registry) -> None:
    made = sorted([(await _create(registry)).access_key.access_key_id for _ in range(5)])
    found: list[str] = []
    token = ""
    for _ in range(3):
        page = await registry.ListAccessKeys(messages.ListAccessKeysRequest(max_results=2, next_token=token))
        found += [key.access_key_id for key in page.access_keys]
        token = page.next_token

    assert found == made
    assert not token


async def test_no_more_keys_are_made_than_there_may_be_however_many_are_asked_for(
    registry: Registry, db: Database, seal_key_file: Path
) -> None:
    await asyncio.to_thread(seal_file.make, seal_key_file)
    (key,) = seal_file.read(seal_key_file)
    await _fill(db, access_key_rows.MAX_KEYS - 3, key.fingerprint)

    async with asyncio.timeout(BOUND_S):
        answers = await asyncio.gather(*(_create(registry) for _ in range(8)), return_exceptions=True)

    refused = [answer for answer in answers if isinstance(answer, errors.LimitExceededException)]
    assert len(refused) == 5
    assert "There are 1000 access keys" in refused[0].message
    assert await db.read(lambda _: steps.fetch_value("SELECT count(*) FROM access_keys")) == 1000
    assert await db.read(lambda _: access_key_rows.count()) == 1000


async def _fill(db: Database, count: int, seal: str) -> None:
    """Write so many keys at once."""
    columns = ("access_key_id", "name", "role", "created_at", "created_by", "seal", "sealed_secret")
    rows = [(f"AKLS{number:016}", "x", 1, 1, "local-admin", seal, b"") for number in range(count)]

    def work(_: object) -> steps.Step[None]:
        yield from steps.insert_many("access_keys", columns, rows)
        yield from steps.execute("UPDATE access_key_count SET access_keys = $1", count)

    await db.run(work)


@pytest.mark.parametrize("principal", ["access-key:AKLSABCDEFGHIJKLMNOP", "ada", "cert:ada", "cert:longshore"])
async def test_only_components_are_told_signing_keys(registry: Registry, principal: str) -> None:
    made = await _create(registry)

    with pytest.raises(errors.AccessDeniedException, match="Only components"):
        await registry.GetSigningKey(
            _asking(made.access_key.access_key_id),
            metadata=(("longshore-principal", principal), ("longshore-request-id", "r")),
        )


@pytest.mark.parametrize(
    ("principal", "insecure", "told"),
    [
        ("local-admin", False, True),
        ("cert:longshore-gateway", False, True),
        ("anonymous", False, False),
        ("anonymous", True, True),
        ("access-key:AKLSABCDEFGHIJKLMNOP", True, False),
        ("cert:ada", False, False),
    ],
)
def test_who_counts_as_a_component(principal: str, *, insecure: bool, told: bool) -> None:
    assert access_keys.is_component(principal, insecure=insecure) is told


async def test_a_registry_that_stands_alone_makes_its_seal_key_with_the_first_access_key(
    registry: Registry, seal_key_file: Path
) -> None:
    await registry.GetSigningKey(messages.GetSigningKeyRequest())
    assert not seal_key_file.exists()

    await _create(registry)

    assert len(seal_file.read(seal_key_file)) == 1


async def test_registries_that_share_the_file_open_what_either_sealed(
    registry: Registry, db: Database, seal_key_file: Path
) -> None:
    made = await _create(registry)

    async with _serving(db, seal_key_file) as other:
        told = await other.GetSigningKey(_asking(made.access_key.access_key_id))
        second = await _create(other)

    assert told.signing_key == signing.signing_key(made.secret_access_key, day=DAY, region="us-east-1")
    assert (await registry.GetSigningKey(_asking(second.access_key.access_key_id))).signing_key


async def test_a_wrong_seal_key_is_told_clearly_and_is_no_fault_of_the_signature(
    registry: Registry, db: Database, seal_key_file: Path, tmp_path: Path
) -> None:
    made = await _create(registry)
    (right,) = seal_file.read(seal_key_file)
    seal_file.make(tmp_path / "other.key")
    (wrong,) = seal_file.read(tmp_path / "other.key")

    async with _serving(db, tmp_path / "other.key") as other:
        with pytest.raises(errors.ServerException) as asked:
            await other.GetSigningKey(_asking(made.access_key.access_key_id))
        with pytest.raises(errors.ServerException) as created:
            await _create(other)

    assert f"sealed under the seal key {right.fingerprint}, not under {wrong.fingerprint}" in asked.value.message
    assert "LONGSHORE_SEAL_KEY_FILE" in asked.value.message
    assert f"1 access keys are sealed under the seal key {right.fingerprint}" in created.value.message
    assert await _list(registry) == [made.access_key]
    assert await db.read(lambda _: access_key_rows.count()) == 1


async def test_a_seal_key_is_replaced_without_a_moment_in_which_a_key_does_not_work(
    registry: Registry, seal_key_file: Path
) -> None:
    old = await _create(registry)
    new_line = sealing.render(b"n" * 32)

    seal_key_file.write_text(new_line + seal_key_file.read_text())
    new = await _create(registry)
    for made in (old, new):
        assert (await registry.GetSigningKey(_asking(made.access_key.access_key_id))).signing_key
    await registry.DeleteAccessKey(messages.DeleteAccessKeyRequest(access_key_id=old.access_key.access_key_id))
    seal_key_file.write_text(new_line)

    assert (await registry.GetSigningKey(_asking(new.access_key.access_key_id))).signing_key
    await _create(registry)


async def test_a_seal_key_that_was_lost_is_not_made_anew_over_keys_that_need_it(
    registry: Registry, seal_key_file: Path
) -> None:
    made = await _create(registry)
    seal_key_file.unlink()

    for call in (_create(registry), registry.GetSigningKey(_asking(made.access_key.access_key_id))):
        with pytest.raises(
            errors.ServerException, match=r"seal key \(LONGSHORE_SEAL_KEY_FILE\) cannot be read"
        ) as caught:
            await call
        assert str(seal_key_file) not in caught.value.message
    assert not seal_key_file.exists()

    await registry.DeleteAccessKey(messages.DeleteAccessKeyRequest(access_key_id=made.access_key.access_key_id))
    again = await _create(registry)
    assert (await registry.GetSigningKey(_asking(again.access_key.access_key_id))).signing_key


async def test_a_secret_put_into_another_keys_row_is_noticed(registry: Registry, db: Database) -> None:
    mine, theirs = await _create(registry, "mine"), await _create(registry, "theirs")

    await db.run(
        lambda _: steps.execute(
            "UPDATE access_keys SET sealed_secret = (SELECT sealed_secret FROM access_keys WHERE access_key_id = $2)"
            " WHERE access_key_id = $1",
            theirs.access_key.access_key_id,
            mine.access_key.access_key_id,
        )
    )

    with pytest.raises(errors.ServerException, match="what is stored of it was changed"):
        await registry.GetSigningKey(_asking(theirs.access_key.access_key_id))


async def test_without_a_seal_key_a_registry_says_how_to_give_it_one(db: Database) -> None:
    async with _serving(db, None) as registry:
        with pytest.raises(
            errors.ServerException, match=r"LONGSHORE_SEAL_KEY_FILE; `longshore seal-key FILE` makes one"
        ):
            await _create(registry)


async def test_a_file_that_others_can_read_keeps_the_registry_from_starting(db: Database, seal_key_file: Path) -> None:
    seal_file.make(seal_key_file)
    seal_key_file.chmod(0o644)

    with pytest.raises(ValueError, match="has mode 0644: others can get at it"):
        async with _serving(db, seal_key_file):
            pytest.fail("it serves")


async def test_no_secret_is_logged_or_stored_in_clear(registry: Registry, db: Database, seal_key_file: Path) -> None:
    with testing.capture_logs() as logged:
        made = await _create(registry)
        await registry.GetSigningKey(_asking(made.access_key.access_key_id))
    rows: Sequence[steps.Row] = await db.read(lambda _: steps.fetch("SELECT * FROM access_keys"))

    secret, seal = made.secret_access_key, seal_key_file.read_text().strip()
    assert [event["event"] for event in logged] == ["seal_key_made", "access_key_created"]
    for text in (str(logged), str([dict(row) for row in rows])):
        assert secret not in text
        assert seal not in text
