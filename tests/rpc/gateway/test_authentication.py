"""Who gets in: against a registry that says what its test wants, and against the real one."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from longshore.client import addresses
from longshore.client import client as clients
from longshore.gateway import authentication, refusals, signing_keys, sigv4, wire
from longshore.gateway import config as configuration
from longshore.rpc import caller, errors, server, settings
from longshore.v1 import account_pb2, options_pb2, registry_service_pb2, registry_service_pb2_grpc
from tests.rpc.gateway import feeds, world
from tests.unit.gateway import signing

Context = Any
pb = registry_service_pb2

HEADERS = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters"}
BOUND_S = 10.0


class Registry(registry_service_pb2_grpc.RegistryServiceServicer):
    """Knows the keys that its test put there, and counts what it is asked."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.asked: list[str] = []
        self.callers: list[str] = []
        self.fails: errors.ServiceError | None = None
        self.held: asyncio.Event | None = None

    async def GetSigningKey(  # noqa: N802 - gRPC's name
        self, request: pb.GetSigningKeyRequest, _: Context
    ) -> pb.GetSigningKeyResponse:
        """As the real one."""
        self.asked.append(request.access_key_id)
        self.callers.append(caller.current().principal)
        if self.held is not None:
            await self.held.wait()
        if self.fails is not None:
            raise self.fails
        if not request.access_key_id:
            return pb.GetSigningKeyResponse(any_access_key=bool(self.secrets))
        if request.access_key_id not in self.secrets:
            raise errors.ResourceNotFoundException("no such key")
        return pb.GetSigningKeyResponse(
            signing_key=signing.key_of(
                secret=self.secrets[request.access_key_id], day=request.date, region=request.region
            ),
            access_key=account_pb2.AccessKey(access_key_id=request.access_key_id, name="ci", role=options_pb2.ROLE_RUN),
            any_access_key=True,
        )


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.seconds


@dataclass(frozen=True)
class Settings:
    """What of a gateway's settings decides who gets in."""

    region: str = signing.REGION
    any_region: bool = False
    verify: str = configuration.ALWAYS


@dataclass
class Gate:
    """An authenticator in front of a fake registry."""

    registry: Registry
    clock: Clock
    client: clients.Client

    def authenticator(
        self, *, any_region: bool = False, verify: str = configuration.ALWAYS
    ) -> authentication.Authenticator:
        """One with these settings."""
        chosen = Settings(any_region=any_region, verify=verify)
        return authentication.Authenticator(chosen, self.client, now=lambda: signing.NOW, clock=self.clock)


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    servicer: Any = Registry
    registry: Registry = servicer()
    registry.secrets[signing.ACCESS_KEY_ID] = signing.SECRET
    config = settings.parse(settings.Component, ("--listen", "127.0.0.1:0"), {})
    registered = server.servicer(registry_service_pb2_grpc.add_RegistryServiceServicer_to_server, registry)
    async with server.serving(config, (registered,)) as serving:
        at = addresses.Addresses((serving.address,), ("127.0.0.1:1",), ("127.0.0.1:1",))
        async with clients.Client(addresses=at) as client:
            yield Gate(registry, Clock(), client)


def unsigned() -> wire.Request:
    """A request that nobody signed."""
    return wire.Request("POST", "/", "", (("host", signing.HOST),), b"{}")


def garbage() -> wire.Request:
    """A request with an Authorization header that says nothing."""
    return wire.Request("POST", "/", "", (("host", signing.HOST), ("authorization", "sesame")), b"{}")


# ------------------------------------------------------------------------------------------- verified


async def test_whoever_signs_gets_in_as_the_key_with_its_role(gate: Gate) -> None:
    identity = await gate.authenticator().authenticate(signing.signed(headers=HEADERS))
    assert (identity.principal, identity.role, identity.region) == (
        f"access-key:{signing.ACCESS_KEY_ID}",
        options_pb2.ROLE_RUN,
        signing.REGION,
    )
    assert gate.registry.callers == [caller.LOCAL_ADMIN], "asked by the gateway itself"


async def test_a_key_is_asked_for_by_the_gateway_whoever_is_served_meanwhile(gate: Gate) -> None:
    with caller.acting_as(caller.Caller("access-key:OTHER", "r", signing.REGION)):
        await gate.authenticator().authenticate(signing.signed(headers=HEADERS))
    assert gate.registry.callers == [caller.LOCAL_ADMIN]


async def test_a_wrong_secret_is_refused_and_so_is_an_unknown_key(gate: Gate) -> None:
    authenticator = gate.authenticator()
    with pytest.raises(refusals.InvalidSignatureException) as caught:
        await authenticator.authenticate(signing.signed(headers=HEADERS, secret="wrong"))
    assert caught.value.message == sigv4.MISMATCH
    with pytest.raises(refusals.UnrecognizedClientException) as unknown:
        await authenticator.authenticate(signing.signed(headers=HEADERS, access_key_id="AKLSNOBODYNOBODYNOBO"))
    assert unknown.value.message == authentication.UNKNOWN_KEY


@pytest.mark.parametrize("access_key_id", ["x", "AKLS" * 40, "AKLS-TEST-TEST-TEST-T"])
async def test_what_cannot_be_a_key_is_not_asked_about(gate: Gate, access_key_id: str) -> None:
    with pytest.raises(refusals.UnrecognizedClientException):
        await gate.authenticator().authenticate(signing.signed(headers=HEADERS, access_key_id=access_key_id))
    assert access_key_id not in gate.registry.asked


async def test_while_there_is_no_key_the_refusal_says_how_to_make_one(gate: Gate) -> None:
    gate.registry.secrets.clear()
    authenticator = gate.authenticator()
    with pytest.raises(refusals.UnrecognizedClientException, match=r"longshore access-key create\.$"):
        await authenticator.authenticate(signing.signed(headers=HEADERS))
    with pytest.raises(refusals.MissingAuthenticationTokenException, match=r"longshore access-key create\.$"):
        await authenticator.authenticate(unsigned())


async def test_with_a_key_an_unsigned_request_reads_what_ecs_says(gate: Gate) -> None:
    with pytest.raises(refusals.MissingAuthenticationTokenException, match=r"^Missing Authentication Token$"):
        await gate.authenticator().authenticate(unsigned())


async def test_another_region_is_refused_unless_any_will_do(gate: Gate) -> None:
    request = signing.signed(headers=HEADERS, region="ap-south-2")
    with pytest.raises(refusals.InvalidSignatureException, match=r"^Credential should be scoped to a valid region\.$"):
        await gate.authenticator().authenticate(request)
    assert (await gate.authenticator(any_region=True).authenticate(request)).region == "ap-south-2"


async def test_temporary_credentials_are_refused_by_name(gate: Gate) -> None:
    with pytest.raises(refusals.UnrecognizedClientException, match="no temporary credentials"):
        await gate.authenticator().authenticate(signing.signed(headers=HEADERS, token="session"))
    assert gate.registry.asked == []


async def test_an_old_signature_is_refused_before_anybody_is_asked(gate: Gate) -> None:
    old = signing.signed(headers=HEADERS, at=signing.NOW - dt.timedelta(minutes=6))
    with pytest.raises(refusals.InvalidSignatureException, match=r"^Signature expired"):
        await gate.authenticator().authenticate(old)
    assert gate.registry.asked == []


# ------------------------------------------------------------------------------------------- kept answers


async def test_a_key_is_asked_for_once_in_ten_seconds(gate: Gate) -> None:
    authenticator = gate.authenticator()
    for _ in range(3):
        await authenticator.authenticate(signing.signed(headers=HEADERS))
    gate.clock.seconds = signing_keys.KEPT_S - 0.01
    await authenticator.authenticate(signing.signed(headers=HEADERS))
    assert len(gate.registry.asked) == 1


async def test_a_deleted_key_is_out_within_ten_seconds(gate: Gate) -> None:
    authenticator = gate.authenticator()
    identity = await authenticator.authenticate(signing.signed(headers=HEADERS))
    gate.registry.secrets["AKLSOTHEROTHEROTHERO"] = gate.registry.secrets.pop(signing.ACCESS_KEY_ID)
    assert await authenticator.still(identity)
    gate.clock.seconds = signing_keys.KEPT_S
    with pytest.raises(refusals.UnrecognizedClientException):
        await authenticator.authenticate(signing.signed(headers=HEADERS))
    assert not await authenticator.still(identity)


async def test_a_refusal_is_kept_as_long(gate: Gate) -> None:
    gate.registry.secrets.clear()
    authenticator = gate.authenticator()
    for _ in range(3):
        with pytest.raises(refusals.UnrecognizedClientException):
            await authenticator.authenticate(signing.signed(headers=HEADERS))
    assert gate.registry.asked.count(signing.ACCESS_KEY_ID) == 1
    gate.registry.secrets[signing.ACCESS_KEY_ID] = signing.SECRET
    gate.clock.seconds = signing_keys.KEPT_S
    await authenticator.authenticate(signing.signed(headers=HEADERS))


async def test_requests_that_miss_at_once_share_one_call(gate: Gate) -> None:
    gate.registry.held = asyncio.Event()
    authenticator = gate.authenticator()
    async with asyncio.timeout(BOUND_S), asyncio.TaskGroup() as group:
        tasks = [group.create_task(authenticator.authenticate(signing.signed(headers=HEADERS))) for _ in range(20)]
        await _asked(gate.registry)
        gate.registry.held.set()
    assert {task.result().principal for task in tasks} == {f"access-key:{signing.ACCESS_KEY_ID}"}
    assert len(gate.registry.asked) == 1


async def test_who_asks_may_hang_up_without_harm_to_those_who_wait(gate: Gate) -> None:
    gate.registry.held = asyncio.Event()
    authenticator = gate.authenticator()
    async with asyncio.timeout(BOUND_S), asyncio.TaskGroup() as group:
        first = group.create_task(authenticator.authenticate(signing.signed(headers=HEADERS)))
        await _asked(gate.registry)
        second = group.create_task(authenticator.authenticate(signing.signed(headers=HEADERS)))
        await asyncio.sleep(0)
        first.cancel()
        gate.registry.held.set()
        await second
    assert first.cancelled()


async def _asked(registry: Registry) -> None:
    """Wait until the registry has been asked something."""
    await feeds.until(lambda: bool(registry.asked))


async def test_kept_answers_are_bounded(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_keys, "MAX_KEPT", 3)
    keys = signing_keys.SigningKeys(gate.client, clock=gate.clock)
    names = [f"AKLSNOBODY{number:010}" for number in range(4)]
    for name in (*names, names[3], names[1], names[0]):
        assert await keys.of(name, day="20261122", region="us-east-1") is None
    # The fourth pushed the first out; the last two asked for were kept, the first had to be asked for again.
    assert gate.registry.asked == [*names, names[0]]


async def test_the_scopes_of_a_key_are_kept_apart(gate: Gate) -> None:
    keys = signing_keys.SigningKeys(gate.client, clock=gate.clock)
    found = {
        (day, region): await keys.of(signing.ACCESS_KEY_ID, day=day, region=region)
        for day in ("20261122", "20261123")
        for region in ("us-east-1", "eu-west-1")
    }
    for (day, region), key in found.items():
        assert key is not None
        assert key.key == signing.key_of(day=day, region=region)
    assert str(found["20261122", "us-east-1"]).find("key=b") == -1, "a key is not shown"


# ------------------------------------------------------------------------------------------- the registry fails


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_keys, "ASK_TIMEOUT_S", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_while_the_registry_is_away_nobody_new_gets_in(gate: Gate) -> None:
    kept = gate.authenticator()
    await kept.authenticate(signing.signed(headers=HEADERS))
    gate.registry.fails = errors.Unavailable("away")
    await kept.authenticate(signing.signed(headers=HEADERS))
    for verify in (configuration.ALWAYS, configuration.WHEN_KEYS_EXIST):
        with pytest.raises(refusals.ServiceUnavailableException):
            await gate.authenticator(verify=verify).authenticate(signing.signed(headers=HEADERS))
    with pytest.raises(refusals.ServiceUnavailableException):
        await gate.authenticator(verify=configuration.WHEN_KEYS_EXIST).authenticate(unsigned())
    gate.registry.fails = None
    await gate.authenticator().authenticate(signing.signed(headers=HEADERS))


@pytest.mark.usefixtures("impatient")
async def test_a_failure_is_that_of_all_who_waited_and_of_nobody_after(gate: Gate) -> None:
    gate.registry.held = asyncio.Event()
    authenticator = gate.authenticator()
    results = await asyncio.gather(
        *(authenticator.authenticate(signing.signed(headers=HEADERS)) for _ in range(20)), return_exceptions=True
    )
    assert {type(result) for result in results} == {refusals.ServiceUnavailableException}
    assert len(gate.registry.asked) == 1
    gate.registry.held = None
    await authenticator.authenticate(signing.signed(headers=HEADERS))


async def test_a_registry_that_takes_the_gateway_for_a_stranger_is_a_fault_of_ours(gate: Gate) -> None:
    gate.registry.fails = errors.AccessDeniedException("only components")
    with pytest.raises(errors.ServerException, match="does not take this gateway for a component"):
        await gate.authenticator().authenticate(signing.signed(headers=HEADERS))


# ------------------------------------------------------------------------------------------- not verified


@pytest.mark.parametrize("request_", [unsigned(), garbage()])
async def test_while_there_is_no_key_everybody_on_loopback_is_the_administrator(
    gate: Gate, request_: wire.Request
) -> None:
    gate.registry.secrets.clear()
    authenticator = gate.authenticator(verify=configuration.WHEN_KEYS_EXIST, any_region=True)
    identity = await authenticator.authenticate(request_)
    assert identity == authentication.Identity(caller.LOCAL_ADMIN, options_pb2.ROLE_ADMIN, signing.REGION)


async def test_an_unverified_request_is_answered_in_the_region_of_its_scope(gate: Gate) -> None:
    gate.registry.secrets.clear()
    request = signing.signed(headers=HEADERS, region="ap-south-2", secret="anything", token="any")
    anywhere = gate.authenticator(verify=configuration.WHEN_KEYS_EXIST, any_region=True)
    assert (await anywhere.authenticate(request)).region == "ap-south-2"
    here = gate.authenticator(verify=configuration.WHEN_KEYS_EXIST)
    assert (await here.authenticate(request)).region == signing.REGION


async def test_the_first_key_ends_the_time_without_verification_within_a_second(gate: Gate) -> None:
    gate.registry.secrets.clear()
    authenticator = gate.authenticator(verify=configuration.WHEN_KEYS_EXIST)
    stranger = await authenticator.authenticate(unsigned())
    gate.registry.secrets[signing.ACCESS_KEY_ID] = signing.SECRET
    gate.clock.seconds = signing_keys.NONE_KEPT_S
    with pytest.raises(refusals.MissingAuthenticationTokenException):
        await authenticator.authenticate(unsigned())
    assert not await authenticator.still(stranger)
    await authenticator.authenticate(signing.signed(headers=HEADERS))


# ------------------------------------------------------------------------------------------- the real registry


async def test_keys_of_the_real_registry_let_their_roles_do_what_they_may(tmp_path: Path) -> None:
    async with world.stack(tmp_path) as stack:
        assert (await stack.call("ListClusters")).status == 200, "no key yet: not verified"
        made = {
            role: await stack.client.call(
                stack.client.registry.CreateAccessKey,
                registry_service_pb2.CreateAccessKeyRequest(name="ci", role=role),
            )
            for role in (options_pb2.ROLE_READ_ONLY, options_pb2.ROLE_ADMIN)
        }
        async with asyncio.timeout(BOUND_S):
            # For as long as it is believed that there is no key.
            while (refused := await stack.call("ListClusters")).status == 200:  # noqa: ASYNC110 - of another process, in earnest
                await asyncio.sleep(0.05)
        assert refused.reason == "MissingAuthenticationTokenException"

        async def call(role: int, operation: str) -> world.Answer:
            body, key = b"{}", made[role]  # type: ignore[index]  # a role's number
            request = signing.signed(
                headers={"X-Amz-Target": wire.PREFIX + operation, "Content-Type": wire.MEDIA_TYPE},
                body=body,
                access_key_id=key.access_key.access_key_id,
                secret=key.secret_access_key,
                at=dt.datetime.now(dt.UTC),
                host=stack.address,
            )
            async with contextlib.aclosing(await stack.connect()) as peer:
                await peer.send(world.raw("POST", "/", [*request.headers, ("content-length", "2")], body))
                return await peer.answer()

        assert (await call(options_pb2.ROLE_READ_ONLY, "ListClusters")).status == 200
        denied = await call(options_pb2.ROLE_READ_ONLY, "CreateCluster")
        assert (denied.status, denied.reason) == (400, "AccessDeniedException")
        assert (await call(options_pb2.ROLE_ADMIN, "CreateCluster")).status == 200
