"""The health probe's word and exit code."""

import asyncio
import sys

import pytest

from longshore.rpc import probe
from tests.rpc.rpc import test_channels, tiny


async def test_a_server_that_serves_is_serving_and_one_service_may_be_asked_for() -> None:
    async with tiny.running(tiny.Behaviour()) as serving:
        assert await probe.check(serving.address) == "SERVING"
        assert await probe.check(serving.address, service="longshore.v1.RegistryService") == "SERVING"
        assert await probe.check(serving.address, service="x") == "SERVICE_UNKNOWN"
        await serving.set_health("", healthy=False)
        assert await probe.check(serving.address) == "NOT_SERVING"


async def test_what_cannot_be_reached_says_why_within_its_time() -> None:
    assert (await probe.check(test_channels.unused())).startswith("UNREACHABLE: ")
    with test_channels.silence() as silent:
        async with asyncio.timeout(2):
            assert (await probe.check(silent, timeout_s=0.1)).startswith("UNREACHABLE: ")


async def test_the_command_prints_one_line_and_exits_by_the_health() -> None:
    async def run(*argv: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "longshore.rpc.probe",
            *argv,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    async with tiny.running(tiny.Behaviour()) as serving:
        assert await run(serving.address) == (0, f"{serving.address} SERVING\n")
        await serving.set_health("", healthy=False)
        assert await run(serving.address) == (1, f"{serving.address} NOT_SERVING\n")
    code, out = await run(serving.address)
    assert code == 1
    assert out.startswith(f"{serving.address} UNREACHABLE: ")
    assert out.count("\n") == 1
    assert (await run("nonsense"))[0] == 2


def test_tls_files_that_cannot_be_read_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.main(["127.0.0.1:1"], {"LONGSHORE_TLS_CA_FILE": "/no/such.pem"}) == 1
    assert "cannot read /no/such.pem" in capsys.readouterr().out
