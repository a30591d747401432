"""What a server does around every RPC, seen by plain gRPC clients."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships stubs without a marker
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from longshore.metrics import rpcs
from longshore.rpc import errors, loops, probe, server, status, tls, transport
from tests.rpc.rpc import tiny

pytestmark = pytest.mark.invented_errors

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SECRET = "postgresql://me:hunter2@db/x"


async def failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def drained(stream: Any) -> list[str]:
    return [response.cursor async for response in stream]


def raw(channel: grpc.aio.Channel) -> Any:
    """The channel, for methods whose messages are bytes: typing wants serializers to tell their types from."""
    return channel


def both_kinds(channel: grpc.aio.Channel) -> tuple[Callable[[], Any], ...]:
    """A unary call and a stream that fails after two answers, each begun when called."""
    return (
        lambda: tiny.registry(channel).ListClusters(tiny.ask()),
        lambda: drained(tiny.tracker(channel).WatchEvents(tiny.watch())),
    )


def info(error: grpc.aio.AioRpcError) -> tuple[str, str, dict[str, str]]:
    trailer = dict(error.trailing_metadata() or ())[status.DETAILS_KEY]
    (detail,) = status_pb2.Status.FromString(trailer).details
    found = error_details_pb2.ErrorInfo()
    assert detail.Unpack(found)
    return found.reason, found.domain, dict(found.metadata)


@pytest.mark.parametrize("kind", tiny.KINDS)
async def test_each_error_reaches_a_plain_client_as_code_message_and_error_info(
    kind: type[errors.ServiceError],
) -> None:
    behaviour = tiny.Behaviour()
    behaviour.raises(kind("No such thing.", cluster="web"))
    async with tiny.running(behaviour) as serving, grpc.aio.insecure_channel(serving.address) as channel:
        for call in both_kinds(channel):
            error = await failure(call())
            assert error.code().name == kind.code.name
            assert error.details() == "No such thing."
            assert info(error) == (kind.reason, "longshore", {"cluster": "web"})


async def test_a_fault_of_ours_shows_an_error_id_to_the_caller_and_the_traceback_to_the_log() -> None:
    behaviour = tiny.Behaviour()
    behaviour.raises(RuntimeError(SECRET))
    async with tiny.running(behaviour) as serving, grpc.aio.insecure_channel(serving.address) as channel:
        for call in both_kinds(channel):
            with capture_logs() as logged:
                error = await failure(call())
            assert error.code() is grpc.StatusCode.INTERNAL
            assert "hunter2" not in repr(error)
            assert "RuntimeError" not in repr(error)
            reason, _, metadata = info(error)
            assert reason == "ServerException"
            (entry,) = [entry for entry in logged if entry["event"] == "rpc_failed"]
            assert entry["error_id"] == metadata["error_id"]
            assert str(entry["exc_info"]) == SECRET


async def test_an_abort_by_hand_passes_as_it_is() -> None:
    async def session(requests: AsyncIterator[bytes], context: Any) -> None:
        await context.abort(grpc.StatusCode.DATA_LOSS, "by hand")

    more = server.handlers("test.Bytes", {"Session": grpc.stream_stream_rpc_method_handler(session)})
    async with (
        tiny.running(tiny.Behaviour(), more=(more,)) as serving,
        grpc.aio.insecure_channel(serving.address) as channel,
    ):
        with capture_logs() as logged:
            error = await failure(raw(channel).stream_stream("/test.Bytes/Session")(iter((b"a",))).read())
    assert (error.code(), error.details()) == (grpc.StatusCode.DATA_LOSS, "by hand")
    assert not [entry for entry in logged if entry["event"] == "rpc_failed"]


async def test_what_a_servicer_lacks_is_unimplemented() -> None:
    async with tiny.running(tiny.Behaviour()) as serving, grpc.aio.insecure_channel(serving.address) as channel:
        error = await failure(tiny.registry(channel).CreateCluster(tiny.ask()))
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
        assert info(error)[0] == "UnsupportedFeatureException"
        unknown = await failure(raw(channel).unary_unary("/longshore.v1.RegistryService/Fly")(b""))
        assert unknown.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_message_over_the_limit_is_refused() -> None:
    async with tiny.running(tiny.Behaviour()) as serving, grpc.aio.insecure_channel(serving.address) as channel:
        call = raw(channel).unary_unary("/longshore.v1.RegistryService/ListClusters")
        error = await failure(call(b"\x0a" * (transport.RECEIVE_LIMIT + 1)))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_request_that_is_no_message_is_refused_by_name_and_not_logged_as_a_fault_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with tiny.running(tiny.Behaviour()) as serving, grpc.aio.insecure_channel(serving.address) as channel:
        for path in ("RegistryService/ListClusters", "StateTrackerService/WatchEvents"):
            method = f"/longshore.v1.{path}"
            kind: Any = channel.unary_unary if "List" in path else channel.unary_stream
            call: Any = kind(method)(b"\xff", timeout=5)
            error = await failure(call if "List" in path else call.read())
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert info(error)[0] == "InvalidParameterException"
    assert not caplog.records


async def test_bytes_pass_through_both_ways_of_a_hand_registered_stream() -> None:
    async def session(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request[::-1]

    more = server.handlers("test.Bytes", {"Session": grpc.stream_stream_rpc_method_handler(session)})
    async with (
        tiny.running(tiny.Behaviour(), more=(more,)) as serving,
        grpc.aio.insecure_channel(serving.address) as channel,
    ):
        call = raw(channel).stream_stream("/test.Bytes/Session")(iter((b"abc", b"\x00\xff")))
        assert [answer async for answer in call] == [b"cba", b"\xff\x00"]


async def test_a_client_that_hangs_up_cancels_the_handler_and_logs_no_failure() -> None:
    behaviour = tiny.Behaviour(hang=True)
    async with tiny.running(behaviour) as serving, grpc.aio.insecure_channel(serving.address) as channel:
        with capture_logs() as logged:
            call = tiny.registry(channel).ListClusters(tiny.ask())
            await behaviour.hanging.wait()
            call.cancel()
            await behaviour.cancelled.wait()
    assert [entry for entry in logged if entry["log_level"] == "error"] == []


async def test_a_deadline_cancels_the_handler() -> None:
    behaviour = tiny.Behaviour(hang=True)
    async with tiny.running(behaviour) as serving, grpc.aio.insecure_channel(serving.address) as channel:
        error = await failure(tiny.registry(channel).ListClusters(tiny.ask(), timeout=0.2))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await behaviour.cancelled.wait()


async def test_work_that_was_cancelled_behind_a_call_answers_unavailable_and_does_not_hang() -> None:
    behaviour = tiny.Behaviour()
    behaviour.raises(asyncio.CancelledError())
    async with tiny.running(behaviour) as serving, grpc.aio.insecure_channel(serving.address) as channel:
        for call in both_kinds(channel):
            async with asyncio.timeout(5):
                error = await failure(call())
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert info(error)[0] == "Unavailable"


async def test_cancelling_a_stream_runs_the_servicers_cleanup_at_once() -> None:
    behaviour = tiny.Behaviour(hang=True)
    async with tiny.running(behaviour) as serving, grpc.aio.insecure_channel(serving.address) as channel:
        call = tiny.tracker(channel).WatchEvents(tiny.watch())
        await call.read()
        await behaviour.hanging.wait()
        call.cancel()
        await behaviour.cancelled.wait()


async def test_reflection_lists_the_services_and_their_files() -> None:
    async with tiny.running(tiny.Behaviour()) as serving, grpc.aio.insecure_channel(serving.address) as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(raw(channel))
        call = stub.ServerReflectionInfo(
            iter(
                (
                    reflection_pb2.ServerReflectionRequest(list_services=""),
                    reflection_pb2.ServerReflectionRequest(file_containing_symbol="longshore.v1.RegistryService"),
                )
            )
        )
        listed, file = [answer async for answer in call]
    assert {service.name for service in listed.list_services_response.service} == {
        "longshore.v1.RegistryService",
        "longshore.v1.StateTrackerService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert len(file.file_descriptor_response.file_descriptor_proto) >= 1


async def test_health_speaks_for_the_server_and_for_each_service() -> None:
    async with tiny.running(tiny.Behaviour()) as serving, grpc.aio.insecure_channel(serving.address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)

        async def state(service: str) -> int:
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
            return int(answer.status)

        assert [await state(name) for name in ("", "longshore.v1.RegistryService")] == [SERVING, SERVING]
        await serving.set_health("longshore.v1.RegistryService", healthy=False)
        assert [await state(name) for name in ("", "longshore.v1.RegistryService")] == [SERVING, NOT_SERVING]
        unknown = await failure(stub.Check(health_pb2.HealthCheckRequest(service="x")))
        assert unknown.code() is grpc.StatusCode.NOT_FOUND


async def test_on_the_way_out_health_turns_first_then_streams_drain_then_calls_finish() -> None:
    behaviour = tiny.Behaviour()
    told: list[str] = []
    async with tiny.running(behaviour) as serving:
        channel = grpc.aio.insecure_channel(serving.address)
        health: Any = health_pb2_grpc.HealthStub(channel)
        watched = health.Watch(health_pb2.HealthCheckRequest())
        assert (await watched.read()).status == SERVING
        stream = tiny.tracker(channel).WatchEvents(tiny.watch("follow"))
        assert [(await stream.read()).cursor for _ in range(2)] == ["1", "2"]

        async def observe() -> None:
            told.append(f"health {(await watched.read()).status}")
            assert behaviour.draining.is_set()
            watched.cancel()
            assert await stream.read() is grpc.aio.EOF
            told.append(f"stream {(await stream.code()).name}")

        observing = asyncio.ensure_future(observe())
    await observing
    await channel.close()
    assert told == [f"health {NOT_SERVING}", "stream OK"]


async def test_a_call_that_does_not_end_is_cancelled_after_the_grace() -> None:
    behaviour = tiny.Behaviour(hang=True)
    async with tiny.running(behaviour, grace_s=0.05) as serving:
        channel = grpc.aio.insecure_channel(serving.address)
        call = asyncio.ensure_future(failure(tiny.registry(channel).ListClusters(tiny.ask())))
        await behaviour.hanging.wait()
    assert (await call).code() in {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}
    assert behaviour.cancelled.is_set()
    await channel.close()


async def test_the_address_is_free_again_after_the_block() -> None:
    async with tiny.running(tiny.Behaviour()) as first:
        address = first.address
    async with tiny.running(tiny.Behaviour(), "--listen", address) as second:
        assert second.address == address


async def test_wait_returns_when_asked_to_stop() -> None:
    async with tiny.running(tiny.Behaviour()) as serving:
        waiting = asyncio.ensure_future(serving.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        serving.stop()
        await waiting


async def test_wait_raises_when_a_loop_dies_and_stops_cleanly_when_none_does() -> None:
    async def dying() -> None:
        await die.wait()
        raise KeyError("boom")

    die = asyncio.Event()
    async with (
        loops.supervised() as supervisor,
        tiny.running(tiny.Behaviour(), supervisor=supervisor) as serving,
    ):
        supervisor.start("reaper", dying)
        waiting = asyncio.ensure_future(serving.wait())
        await asyncio.sleep(0)
        die.set()
        with pytest.raises(loops.LoopFailedError, match="loop reaper died of KeyError"):
            await waiting
    async with (
        loops.supervised() as supervisor,
        tiny.running(tiny.Behaviour(), supervisor=supervisor) as serving,
    ):
        serving.stop()
        await serving.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_is_a_request_to_stop(number: signal.Signals) -> None:
    async with tiny.running(tiny.Behaviour()) as serving:
        waiting = asyncio.ensure_future(server.until_signalled(serving))
        await asyncio.sleep(0)
        os.kill(os.getpid(), number)
        await waiting


async def test_a_port_that_is_taken_is_named() -> None:
    async with tiny.running(tiny.Behaviour()) as serving:
        with pytest.raises(server.BindError, match=f"cannot listen on {serving.address}: the port is taken"):
            async with tiny.running(tiny.Behaviour(), "--listen", serving.address):
                pass


async def test_an_open_address_is_refused_unless_the_user_says_insecure() -> None:
    with pytest.raises(tls.TlsError, match=r"0\.0\.0\.0:0 can be reached from outside this machine"):
        async with tiny.running(tiny.Behaviour(), "--listen", "0.0.0.0:0"):
            pass
    async with tiny.running(tiny.Behaviour(), "--listen", "0.0.0.0:0", "--insecure") as serving:
        port = serving.address.rpartition(":")[2]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert (await tiny.registry(channel).ListClusters(tiny.ask())).next_token == "one"


async def test_a_retry_policy_of_a_generic_client_sees_the_code() -> None:
    behaviour = tiny.Behaviour()

    def once() -> None:
        behaviour.act = tiny.nothing
        raise errors.Unavailable("not now")

    behaviour.act = once
    policy = {
        "methodConfig": [
            {
                "name": [{"service": "longshore.v1.RegistryService"}],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.01s",
                    "maxBackoff": "0.01s",
                    "backoffMultiplier": 1,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
    options = (("grpc.service_config", json.dumps(policy)),)
    async with (
        tiny.running(behaviour) as serving,
        grpc.aio.insecure_channel(serving.address, options=options) as channel,
    ):
        assert (await tiny.registry(channel).ListClusters(tiny.ask())).next_token == "one"


async def test_a_method_registered_by_hand_later_replaces_that_of_the_servicer() -> None:
    async def watch(request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield tiny.watch("by hand").SerializeToString()

    more = server.handlers(
        "longshore.v1.StateTrackerService", {"WatchEvents": grpc.unary_stream_rpc_method_handler(watch)}
    )
    async with (
        tiny.running(tiny.Behaviour(), more=(more,)) as serving,
        grpc.aio.insecure_channel(serving.address) as channel,
    ):
        call = raw(channel).unary_stream("/longshore.v1.StateTrackerService/WatchEvents")(b"")
        assert [answer async for answer in call] == [tiny.watch("by hand").SerializeToString()]


async def test_who_observes_is_told_of_each_call_that_ended_with_its_code() -> None:
    behaviour, told = tiny.Behaviour(), rpcs.Rpcs()
    async with (
        tiny.running(behaviour, observe=told.observe) as serving,
        grpc.aio.insecure_channel(serving.address) as channel,
    ):
        await tiny.registry(channel).ListClusters(tiny.ask())
        await drained(tiny.tracker(channel).WatchEvents(tiny.watch()))
        behaviour.raises(errors.ClusterNotFoundException("Cluster not found."))
        for call in both_kinds(channel):
            await failure(call())
        behaviour.raises(ValueError("a fault of ours"))
        await failure(tiny.registry(channel).ListClusters(tiny.ask()))
        behaviour.act, behaviour.hang = tiny.nothing, True
        hanging = tiny.registry(channel).ListClusters(tiny.ask())
        await behaviour.hanging.wait()
        hanging.cancel()
        await behaviour.cancelled.wait()
    assert told.ended == {
        ("ListClusters", "OK"): 1,
        ("ListClusters", "NOT_FOUND"): 1,
        ("ListClusters", "INTERNAL"): 1,
        ("ListClusters", "CANCELLED"): 1,
        ("WatchEvents", "OK"): 1,
        ("WatchEvents", "NOT_FOUND"): 1,
    }
    assert told.answered.count == 4  # a stream lasts as long as its reader wants


async def test_health_looks_at_what_a_component_stands_on_each_time_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "STANDING_TIMEOUT_S", 0.05)
    reached = {"database": True}
    never = asyncio.Event()

    async def database() -> bool:
        return reached["database"]

    standing: server.Standing = {server.DATABASE: database, server.EVENTS: never.wait}
    async with tiny.running(tiny.Behaviour(), standing=standing) as serving:
        assert await probe.check(serving.address, service=server.DATABASE) == "SERVING"
        reached["database"] = False
        assert await probe.check(serving.address, service=server.DATABASE) == "NOT_SERVING"
        assert await probe.check(serving.address, service=server.EVENTS) == "NOT_SERVING", "silence is away"
        assert await probe.check(serving.address) == "SERVING", "it answers, and says why it cannot work"
    async with tiny.running(tiny.Behaviour()) as serving:
        assert await probe.check(serving.address, service=server.DATABASE) == "SERVICE_UNKNOWN"
