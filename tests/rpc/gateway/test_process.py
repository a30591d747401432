"""`python -m longshore.gateway`, as an operator starts it."""

import asyncio
import json
import os
import signal
import ssl
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from longshore.gateway import app, config
from longshore.rpc import server, tls
from tests.engines import ports
from tests.rpc.gateway import world

BOUND_S = 30.0
CERTIFICATES = Path(__file__).parents[1] / "rpc" / "certificates"


async def _start(*arguments: str) -> Process:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LONGSHORE_")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "longshore.gateway", *arguments, stdout=PIPE, stderr=PIPE, env=environment
    )


async def _ended(process: Process) -> tuple[int, str]:
    async with asyncio.timeout(BOUND_S):
        _, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def _announced(process: Process) -> str:
    """The address that the log tells."""
    assert process.stdout is not None
    async with asyncio.timeout(BOUND_S):
        while line := await process.stdout.readline():
            event = json.loads(line)
            if event["event"] == "gateway_started":
                return str(event["address"])
    raise AssertionError("ended without having served")


async def test_it_serves_before_and_after_the_control_plane_and_ends_when_told_to(tmp_path: Path) -> None:
    async with world.control_plane(tmp_path) as plane:
        process = await _start(
            "--listen=127.0.0.1:0",
            f"--registry={plane.at.registry[0]}",
            f"--scheduler={plane.at.scheduler[0]}",
            f"--state-tracker={plane.at.state_tracker[0]}",
            "--verify=when-keys-exist",
        )
        try:
            address = await _announced(process)
            peer = await world.connect(address)
            assert (await peer.call("ListClusters")).json == {"clusterArns": []}
            process.send_signal(signal.SIGTERM)
            assert await _ended(process) == (0, "")
            assert await peer.rest() == b""
            await peer.aclose()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_without_a_key_nobody_gets_in_and_is_told_how_to_make_one(tmp_path: Path) -> None:
    async with world.stack(tmp_path, verify=config.ALWAYS) as stack:
        answer = await stack.call("ListClusters")
    assert (answer.status, answer.reason) == (400, "MissingAuthenticationTokenException")
    assert "longshore access-key create" in answer.json["message"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--database-url=sqlite:///x"], 2, "--database-url is not a flag"),
        (["--listen=0.0.0.0:0"], 1, "pass --insecure"),
        (["--listen=0.0.0.0:0", "--verify=when-keys-exist", "--insecure"], 2, "loopback addresses only"),
        (["--listen=127.0.0.1:0", "--tls-cert-file=/nope", "--tls-key-file=/nope"], 1, "cannot read /nope"),
    ],
)
async def test_it_does_not_start_on_what_it_cannot_do_and_says_so_in_a_line(
    arguments: list[str], code: int, said: str
) -> None:
    ended, told = await _ended(await _start(*arguments))
    assert ended == code
    assert said in told
    assert "Traceback" not in told


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    async with world.stack(tmp_path) as stack:
        with pytest.raises(server.BindError, match=stack.address):
            async with app.serve(world.settings(stack.plane.at, listen=stack.address)):
                pass


async def test_it_serves_tls_to_clients_that_have_no_certificate(tmp_path: Path) -> None:
    nowhere = (f"127.0.0.1:{ports.free_port()}",)
    told = config.Config(
        listen="127.0.0.1:0",
        registry=nowhere,
        scheduler=nowhere,
        state_tracker=nowhere,
        tls_cert_file=CERTIFICATES / "component.pem",
        tls_key_file=CERTIFICATES / "component.key",
        tls_ca_file=CERTIFICATES / "ca.pem",
    )
    async with app.serve(told) as serving:
        host, _, port = serving.address.rpartition(":")
        context = ssl.create_default_context(cafile=CERTIFICATES / "ca.pem")
        context.check_hostname = False
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        peer = world.Peer(reader, writer)
        await peer.send(world.raw("GET", "/healthz", {"host": serving.address}.items()))
        assert (await peer.answer()).json == {"status": "ok"}
        await peer.send(world.request("ListClusters", body=b" " * 2_000_000))
        assert (await peer.answer()).status == 413
        assert await peer.rest() == b""
        await peer.aclose()

        plain = await world.connect(serving.address)
        await plain.send(world.raw("GET", "/healthz", {"host": serving.address}.items()))
        assert await plain.rest() == b""
        await plain.aclose()


async def test_beyond_loopback_it_wants_tls_or_a_word() -> None:
    with pytest.raises(tls.TlsError, match="--insecure"):
        async with app.serve(config.Config(listen="0.0.0.0:0")):
            pass
    async with app.serve(config.Config(listen="0.0.0.0:0", insecure=True)) as serving:
        assert serving.address.startswith("0.0.0.0:")
