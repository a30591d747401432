"""The pause image is what its sources say, small, the same whenever it is made, and does its work."""

import io
import json
import os
import platform
import shutil
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from longshore.agent import container_names, pause_image, pause_program
from tests.engines.missing import missing

SOURCES = Path(pause_program.__file__).parent / "pause"
TOOLS = {"x86_64": "x86_64-linux-gnu-", "aarch64": "aarch64-linux-gnu-"}
BOUND_S = 10.0
MEBIBYTE = 1 << 20


def tool(architecture: str, name: str) -> str:
    return shutil.which(TOOLS[architecture] + name) or missing(f"no {name} for {architecture} on this machine")


@pytest.mark.parametrize("architecture", list(pause_program.CODE))
def test_the_code_is_what_the_source_assembles_to(architecture: str, tmp_path: Path) -> None:
    made, code = tmp_path / "pause.o", tmp_path / "pause"
    subprocess.run([tool(architecture, "as"), SOURCES / f"{architecture}.s", "-o", made], check=True, timeout=BOUND_S)
    subprocess.run(
        [tool(architecture, "objcopy"), "--output-target=binary", "--only-section=.text", made, code],
        check=True,
        timeout=BOUND_S,
    )
    assert code.read_bytes() == pause_program.CODE[architecture]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_waits_until_it_is_told_to_end(number: signal.Signals, tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(pause_program.program(platform.machine()))
    program.chmod(0o500)
    process = subprocess.Popen([program])
    status = Path(f"/proc/{process.pid}/status")
    try:
        # A signal that comes before it has begun would end it as it ends any process.
        for _ in range(100_000):
            if "SigBlk:\t0000000000004002" in status.read_text():
                break
        for ignored in (signal.SIGCHLD, number):
            assert process.poll() is None
            os.kill(process.pid, ignored)
        assert process.wait(BOUND_S) == 0
    finally:
        process.kill()


def test_an_image_is_small_marked_and_the_same_whenever_it_is_made() -> None:
    image = pause_image.image("x86_64")
    assert image is not None
    assert image == pause_image.image("amd64")
    assert len(image.archive) < MEBIBYTE
    with tarfile.open(fileobj=io.BytesIO(image.archive)) as archive:
        files = {entry.name: archive.extractfile(entry) for entry in archive}
        read = {name: content.read() for name, content in files.items() if content is not None}
    ((manifest),) = json.loads(read["manifest.json"])
    assert manifest["RepoTags"] == [image.name]
    config = json.loads(read[manifest["Config"]])
    assert config["config"]["Labels"] == {container_names.INTERNAL: container_names.PAUSE}
    with tarfile.open(fileobj=io.BytesIO(read["layer.tar"])) as layer:
        (entry,) = layer.getmembers()
        content = layer.extractfile(entry)
        assert content is not None
        assert (entry.name, content.read()) == ("pause", pause_program.program("x86_64"))


def test_each_processor_has_an_image_of_its_own_and_an_unknown_one_none() -> None:
    names = {image.name for name in ("x86_64", "arm64") if (image := pause_image.image(name)) is not None}
    assert len(names) == 2
    assert pause_image.image("riscv64") is None
