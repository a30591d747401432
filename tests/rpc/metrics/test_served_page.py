"""The page of metrics as a component serves it, scraped over HTTP."""

import asyncio
import socket
import ssl
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import parser

from longshore.events import memory_bus
from longshore.metrics import exposition, loop_blocks
from longshore.rpc import channels, tls
from longshore.scheduler import app, config
from longshore.storage import database
from longshore.v1 import scheduler_service_pb2, scheduler_service_pb2_grpc, task_pb2
from tests.rpc.scheduler.world import World, definition

CERTIFICATES = Path(__file__).parents[1] / "rpc" / "certificates"
BOUND_S = 20.0
TOLD = {"cluster", "outcome", "method", "code"}


def _fetched(url: str, context: ssl.SSLContext | None = None) -> dict[str, float]:
    with urllib.request.urlopen(url, timeout=BOUND_S, context=context) as answer:  # noqa: S310 - our own address
        text = answer.read().decode()
    return {
        sample.name
        + "".join(f" {value}" for label, value in sorted(sample.labels.items()) if label in TOLD): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
        if "le" not in sample.labels
    }


async def _scraped(address: str) -> dict[str, float]:
    return await asyncio.to_thread(_fetched, f"http://{address}/metrics")


def _request(cpu: str | None = None, token: str | None = None) -> scheduler_service_pb2.RunTaskRequest:
    overrides = task_pb2.TaskOverride(cpu=cpu)
    return scheduler_service_pb2.RunTaskRequest(
        cluster="web", task_definition="app", overrides=overrides, client_token=token
    )


async def test_a_served_component_shows_what_it_did_and_nothing_once_it_has_ended(tmp_path: Path) -> None:
    options = config.Config(listen="127.0.0.1:0", metrics_listen="127.0.0.1:0")
    blocks, shown = loop_blocks.LoopBlocks(), exposition.Sources()
    shown.add(blocks, process="scheduler")
    blocks.turned(0.25, 0.0, 0.0)
    opened = await database.open_database(f"sqlite://{tmp_path}/state.db")
    try:
        world = World(opened, memory_bus.MemoryBus())
        await world.create_cluster()
        await world.register(definition())
        await world.add_instance()
        async with (
            exposition.serving(shown, listen=options.metrics_listen, files=options.tls, insecure=False) as address,
            app.serve(options, database=opened, bus=memory_bus.MemoryBus(), shown=shown) as serving,
            channels.connect(serving.address) as channel,
        ):
            before = await _scraped(address)
            stub = scheduler_service_pb2_grpc.SchedulerServiceStub(channel)
            placed = await stub.RunTask(_request())
            refused = await stub.RunTask(_request(cpu="1000000"))
            again = await stub.RunTask(_request(token="once")), await stub.RunTask(_request(token="once"))
            after = await _scraped(address)
    finally:
        await opened.close()

    assert (len(placed.tasks), len(refused.failures)) == (1, 1)
    assert [task.task_arn for task in again[0].tasks] == [task.task_arn for task in again[1].tasks]
    hops = [f"longshore_scheduler_{hop}_seconds" for hop in ("queue", "decision", "commit", "publish")]
    assert [before[f"{hop}_count"] for hop in hops] == [0, 0, 0, 0]
    assert [after[f"{hop}_count"] for hop in hops] == [2, 2, 2, 2]
    assert after["longshore_scheduler_commit_seconds_sum"] > 0
    assert after["longshore_scheduler_last_publication_timestamp_seconds"] == pytest.approx(time.time(), abs=BOUND_S)
    assert after["longshore_scheduler_placed_tasks_total"] == 2
    assert "longshore_scheduler_leader_epoch web" not in before
    assert after["longshore_scheduler_leader_epoch web"] == 1
    assert after["longshore_scheduler_leaderships_taken_total"] == 1
    assert [after[f"longshore_scheduler_client_tokens_total {outcome}"] for outcome in ("new", "repeated")] == [1, 1]
    assert after["longshore_rpc_requests_total OK RunTask"] == 4
    assert after["longshore_rpc_seconds_count"] == 4
    assert after["longshore_scheduler_refusals_total"] == 1
    assert after["longshore_scheduler_queue_depth"] == 0
    assert (before["longshore_scheduler_led_clusters"], after["longshore_scheduler_led_clusters"]) == (0, 1)
    assert after["longshore_event_loop_blocks_total"] == 1
    assert after["process_resident_memory_bytes"] > 1_000_000
    host, _, port = address.rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=BOUND_S).close()


async def test_where_no_address_is_given_nothing_is_served() -> None:
    async with exposition.serving(exposition.Sources(), listen="", files=tls.Files(), insecure=False) as address:
        assert address == ""


async def test_others_may_read_it_only_by_certificate_or_by_choice() -> None:
    shown = exposition.Sources()
    with pytest.raises(tls.TlsError, match=r"0\.0\.0\.0:0 can be reached from outside .* pass --insecure"):
        async with exposition.serving(shown, listen="0.0.0.0:0", files=tls.Files(), insecure=False):
            pass
    async with exposition.serving(shown, listen="0.0.0.0:0", files=tls.Files(), insecure=True) as address:
        assert await _scraped(f"127.0.0.1:{address.rpartition(':')[2]}")


async def test_with_certificates_it_is_served_to_those_who_have_one() -> None:
    files = tls.Files(CERTIFICATES / "component.pem", CERTIFICATES / "component.key", CERTIFICATES / "ca.pem")
    known = ssl.create_default_context(cafile=str(files.ca))
    known.load_cert_chain(CERTIFICATES / "person.pem", CERTIFICATES / "person.key")
    anonymous = ssl.create_default_context(cafile=str(files.ca))

    async with exposition.serving(exposition.Sources(), listen="127.0.0.1:0", files=files, insecure=False) as address:
        url = f"https://localhost:{address.rpartition(':')[2]}/metrics"
        assert await asyncio.to_thread(_fetched, url, known)
        with pytest.raises(OSError):  # noqa: PT011 - the handshake, or the first read after it
            await asyncio.to_thread(_fetched, url, anonymous)


async def test_an_address_that_cannot_be_had_is_named() -> None:
    shown = exposition.Sources()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        taken = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(exposition.NotServed, match=f"cannot serve metrics on {taken}: Address already in use"):
            async with exposition.serving(shown, listen=taken, files=tls.Files(), insecure=False):
                pass
    with pytest.raises(exposition.NotServed, match="'nowhere' is not host:port"):
        async with exposition.serving(shown, listen="nowhere", files=tls.Files(), insecure=False):
            pass
