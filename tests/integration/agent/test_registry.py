"""The Docker runtime's pulls from a real registry, and from one that hangs, breaks off, or answers 429."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import test_utils, web

from longshore.agent import pull_progress, pulls, runtime
from longshore.agent.docker import docker_runtime, registry_credentials
from tests.engines import docker, image_registry
from tests.integration.agent import registry

WAIT_S = 30.0
Make = Callable[..., docker_runtime.DockerRuntime]


@pytest.fixture
async def make(docker_engine: docker.DockerEngine) -> AsyncIterator[Make]:
    """Runtimes of this test."""
    made: list[docker_runtime.DockerRuntime] = []

    def one(
        credentials: registry_credentials.Credentials | None = None, **limits: float
    ) -> docker_runtime.DockerRuntime:
        made.append(docker_runtime.DockerRuntime(docker_engine.url, credentials, pull_limits=pulls.Limits(**limits)))  # type: ignore[arg-type]  # fields of the test
        return made[-1]

    yield one
    for used in made:
        await used.close()


async def test_fifty_who_want_one_image_are_one_pull(front: registry.Front, make: Make) -> None:
    engine = make()
    found = await asyncio.gather(*(engine.pull(front.image, patient=True) for _ in range(50)))
    assert front.asked == 1
    assert {image.digest for image in found} == {front.digest}
    assert {image.pin for image in found} == {f"{front.image.removesuffix(':1')}@{front.digest}"}


async def test_an_image_is_pulled_by_its_digest_when_its_tag_has_moved_on(front: registry.Front, make: Make) -> None:
    first = front.digest
    await front.publish("another")
    found = await make().pull(f"{front.host}/{front.name}@{first}", patient=True)
    assert found.digest == first != front.digest
    assert (await make().find_image(found.pin)) == found


async def test_progress_grows_to_the_size_of_the_layers(front: registry.Front, make: Make) -> None:
    await front.publish("large", size=1 << 20)
    front.piece_s = 0.02  # the engine tells of a layer ten times a second at most
    seen: list[pull_progress.Progress] = []
    await make().pull(front.image, patient=True, on_progress=seen.append)
    assert [p.downloaded for p in seen] == sorted(p.downloaded for p in seen)
    assert seen[-1].downloaded == seen[-1].total > 1 << 20
    assert seen[0].downloaded < seen[0].total


async def test_at_most_so_many_are_pulled_at_a_time(front: registry.Front, make: Make) -> None:
    engine = make(concurrent=1)
    await front.publish("slow", size=64)
    front.hangs = True
    slow = asyncio.ensure_future(engine.pull(front.image, patient=True))
    async with asyncio.timeout(WAIT_S):
        await front.begun.wait()
    waiting = asyncio.ensure_future(engine.pull(f"{front.host}/{front.name}:other", patient=False))
    assert await asyncio.wait({waiting}, timeout=0.3) == (set(), {waiting})
    front.hangs = False
    slow.cancel()
    with pytest.raises(runtime.CannotPullImageManifestError):
        await waiting


async def test_the_last_one_who_leaves_ends_the_pull(front: registry.Front, make: Make) -> None:
    engine = make()
    front.piece_s = 0.2
    first, second = (asyncio.ensure_future(engine.pull(front.image, patient=True)) for _ in range(2))
    async with asyncio.timeout(WAIT_S):
        await front.begun.wait()
        first.cancel()
        await asyncio.wait({first})
        assert not front.left.is_set()
        second.cancel()
        await front.left.wait()
    front.piece_s = 0
    assert (await engine.pull(front.image, patient=True)).digest == front.digest


@pytest.mark.parametrize(("limits", "waited"), [({"inactivity_s": 1.0}, "1s"), ({"total_s": 1.0}, "1s")])
async def test_a_registry_that_hangs_is_given_up(
    front: registry.Front, make: Make, limits: dict[str, float], waited: str
) -> None:
    front.hangs = True
    with pytest.raises(runtime.DockerTimeoutError) as raised:
        await make(**limits).pull(front.image, patient=False)
    assert raised.value.reason == (
        f"DockerTimeoutError: Could not transition to PULLED; timed out after waiting {waited}"
    )


async def test_a_registry_that_breaks_off_in_a_layer_is_asked_again(front: registry.Front, make: Make) -> None:
    front.breaks_off = 1
    assert (await make().pull(front.image, patient=True)).digest == front.digest
    assert front.breaks_off == 0


async def test_a_busy_registry_is_left_alone_for_as_long_as_it_asks(front: registry.Front, make: Make) -> None:
    front.busy_s = 2.0
    assert (await make().pull(front.image, patient=True)).digest == front.digest
    # The engine's one question (which it puts twice, by HEAD and GET), and ours for the header that the engine drops.
    engines = [who for who in front.put_off if who.startswith("docker/")]
    assert 1 <= len(engines) <= 2
    assert len(front.put_off) == len(engines) + 1


async def test_what_is_not_there_is_not_asked_for_again(front: registry.Front, make: Make) -> None:
    with pytest.raises(runtime.CannotPullImageManifestError, match="manifest unknown"):
        await make().pull(f"{front.host}/{front.name}x:1", patient=True)
    assert front.asked <= 2  # HEAD and GET of one try


async def test_who_is_told_the_password_may_pull(locked_front: registry.Front, make: Make) -> None:
    def told(password: str) -> registry_credentials.Credentials:
        credential = registry_credentials.Credential(image_registry.USER, password)
        return registry_credentials.Credentials({locked_front.host: credential}, None)

    for credentials in (None, told("wrong")):
        with pytest.raises(runtime.CannotPullContainerAuthError) as raised:
            await make(credentials).pull(locked_front.image, patient=True)
        assert "wrong" not in raised.value.reason
    found = await make(told(image_registry.PASSWORD)).pull(locked_front.image, patient=True)
    assert found.digest == locked_front.digest


async def test_an_answer_of_the_engine_that_just_ends_is_no_pull() -> None:
    """What the engine has of the name is not what was asked for, and nobody may take the end of its answer for success."""

    async def version(_: web.Request) -> web.Response:
        return web.json_response({"ApiVersion": "1.41", "Version": "20.10"})

    async def create(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b'{"status":"Pulling from tests/app","id":"1"}\n')
        return answer

    application = web.Application()
    application.add_routes([web.get("/version", version), web.post("/v1.41/images/create", create)])
    async with test_utils.TestServer(application) as server:
        engine = docker_runtime.DockerRuntime(f"http://127.0.0.1:{server.port}")
        with pytest.raises(runtime.EngineUnavailable, match="broke off"):
            await engine.pull("app:1", patient=True)
        await engine.close()
