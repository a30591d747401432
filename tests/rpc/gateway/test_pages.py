"""What is served beside operations."""

import asyncio
import json
from pathlib import Path

import pytest

from longshore.gateway import pages
from tests.rpc.gateway import world


async def get(stack: world.Stack, target: str, method: str = "GET", **headers: str) -> world.Answer:
    peer = await stack.connect()
    await peer.send(world.raw(method, target, ({"host": stack.address} | headers).items()))
    return await peer.answer(head=method == "HEAD")


async def test_a_browser_is_told_what_this_is_and_how_it_is_used(stack: world.Stack) -> None:
    answer = await get(stack, "/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert f"--endpoint-url http://{stack.address}" in answer.body.decode()


@pytest.mark.parametrize("target", ["/nope", "/healthz/", "/%2e%2e/etc/passwd", "//", "/events/x", "*"])
async def test_what_is_not_served_is_404_in_the_form_of_everything_else(stack: world.Stack, target: str) -> None:
    answer = await get(stack, target)
    assert (answer.status, answer.reason) == (404, "NotFoundException")
    assert answer.headers["x-amzn-requestid"]


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("PUT", "/", "GET, HEAD, POST"),
        ("DELETE", "/", "GET, HEAD, POST"),
        ("OPTIONS", "/", "GET, HEAD, POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_405_and_the_right_ones_are_told(
    stack: world.Stack, method: str, target: str, allowed: str
) -> None:
    answer = await get(stack, target, method)
    assert (answer.status, answer.reason, answer.headers["allow"]) == (405, "MethodNotAllowedException", allowed)
    assert "access-control-allow-origin" not in answer.headers  # no page of another site may ask anything


async def test_it_lives_whatever_is_behind_it_and_is_ready_when_all_of_that_is(tmp_path: Path) -> None:
    async with world.stack(tmp_path) as stack:
        ready = await get(stack, "/readyz")
        assert (ready.status, ready.json) == (
            200,
            {"status": "ok", "components": dict.fromkeys(("registry", "scheduler", "state_tracker"), "SERVING")},
        )
        await stack.plane.stop("scheduler")
        async with asyncio.timeout(world.BOUND_S):
            away = await get(stack, "/readyz")
        assert away.status == 503
        assert away.json == {
            "status": "unavailable",
            "components": {"registry": "SERVING", "scheduler": pages.UNREACHABLE, "state_tracker": "SERVING"},
        }
        lives = await get(stack, "/healthz")
        assert (lives.status, lives.json) == (200, {"status": "ok"})


async def test_metrics_count_requests_by_operation_and_status(stack: world.Stack) -> None:
    await stack.call("ListClusters")
    await stack.call("ListClusters", {"nonsense": 1})
    await stack.call("ListTasks", {"cluster": "nowhere"})
    await stack.call("NoOperation")
    page = (await get(stack, "/metrics")).body.decode()
    assert 'longshore_gateway_requests_total{operation="ListClusters",status="200"} 1.0' in page
    assert 'longshore_gateway_requests_total{operation="ListClusters",status="400"} 1.0' in page
    assert 'longshore_gateway_requests_total{operation="ListTasks",status="400"} 1.0' in page
    assert 'longshore_gateway_requests_total{operation="",status="400"} 1.0' in page
    assert "NoOperation" not in page  # what callers make up is no label
    assert "longshore_gateway_request_seconds_count 4.0" in page
    assert "longshore_gateway_call_seconds_count 2.0" in page
    assert "process_resident_memory_bytes" in page


async def test_a_failure_of_a_page_is_an_answer_too(
    stack: world.Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        def __iter__(self) -> object:
            raise RuntimeError("password=hunter2")

    monkeypatch.setattr(stack.shown, "_all", Broken())
    answer = await get(stack, "/metrics")
    assert (answer.status, answer.reason) == (500, "ServerException")
    assert b"hunter2" not in answer.body
    error_id = json.loads(answer.body)["message"].split()[2].rstrip(";")
    assert error_id in capsys.readouterr().out
