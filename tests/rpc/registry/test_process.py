"""`python -m longshore.registry`, as an operator starts it."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from longshore.registry import seal_file
from longshore.rpc import channels
from longshore.v1 import registry_service_pb2, registry_service_pb2_grpc

BOUND_S = 30.0


async def _start(*arguments: str) -> Process:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LONGSHORE_")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "longshore.registry", *arguments, stdout=PIPE, stderr=PIPE, env=environment
    )


async def _ended(process: Process) -> tuple[int, str]:
    _, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_it_serves_until_it_is_told_to_stop_and_keeps_what_it_answered(tmp_path: Path, free_port: object) -> None:
    assert callable(free_port)
    address = f"127.0.0.1:{free_port()}"
    arguments = ("--listen", address, "--database-url", f"sqlite://{tmp_path}/state.db")
    request = registry_service_pb2.CreateClusterRequest(cluster_name="web")

    async with asyncio.timeout(BOUND_S):
        for _ in range(2):
            process = await _start(*arguments)
            try:
                assert process.stdout is not None
                while b"server_started" not in await process.stdout.readline():
                    pass
                async with channels.connect(address) as channel:
                    registry = registry_service_pb2_grpc.RegistryServiceStub(channel)
                    listed = await registry.ListClusters(registry_service_pb2.ListClustersRequest())
                    await registry.CreateCluster(request)
            finally:
                process.send_signal(signal.SIGTERM)
            assert await _ended(process) == (0, "")

    assert list(listed.cluster_arns) == ["arn:aws:ecs:us-east-1:123456789012:cluster/web"]


async def test_what_is_wrong_with_its_settings_is_told_in_words() -> None:
    async with asyncio.timeout(BOUND_S):
        unknown = await _ended(await _start("--databse-url", "x"))
        wrong = await _ended(await _start("--listen", "127.0.0.1:0", "--database-url", "mysql://x"))

    assert unknown[0] == 2
    assert "--databse-url is not a flag; did you mean --database-url?" in unknown[1]
    assert wrong[0] == 1
    assert wrong[1].startswith("longshore registry: database URL mysql://")
    assert "Traceback" not in wrong[1]


async def test_a_seal_key_that_is_not_there_or_stands_open_keeps_it_from_starting(tmp_path: Path) -> None:
    file = tmp_path / "seal.key"
    seal_file.make(file)
    file.chmod(0o640)
    async with asyncio.timeout(BOUND_S):
        without = await _ended(await _start("--database-url", "postgresql://127.0.0.1:1/x"))
        arguments = ("--listen", "127.0.0.1:0", "--database-url", f"sqlite://{tmp_path}/state.db")
        standing_open = await _ended(await _start(*arguments, "--seal-key-file", str(file)))

    assert without[0] == 2
    assert "LONGSHORE_SEAL_KEY_FILE (or --seal-key-file) is required with PostgreSQL" in without[1]
    assert "Make one with `longshore seal-key FILE`." in without[1]
    assert standing_open == (
        1,
        f"longshore registry: the seal key's file {file} has mode 0640: others can get at it; `chmod 600` it\n",
    )
