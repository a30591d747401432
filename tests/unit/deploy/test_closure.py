"""What the images and the bundle install is the closure of an extra, pinned as it was tested."""

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[3]


def test_the_agents_closure_has_what_it_imports_and_nothing_of_the_control_plane() -> None:
    names = {pin.partition("==")[0] for pin in _closure("agent")}

    assert {"aiodocker", "aiohttp", "grpcio", "protobuf", "structlog"} <= names
    assert names.isdisjoint({"asyncpg", "redis", "numpy", "starlette", "typer", "pytest", "longshore"})


def test_every_pin_is_the_locks() -> None:
    locked = set((_ROOT / "requirements.lock").read_text().splitlines())

    assert _closure("agent", "services", "cli") <= locked


def test_backports_that_an_older_patch_release_of_python_needs_are_in() -> None:
    assert "async-timeout" in {pin.partition("==")[0] for pin in _closure("services")}


def _closure(*extras: str) -> set[str]:
    command = [sys.executable, str(_ROOT / "scripts/closure.py"), *extras]
    return set(subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.splitlines())
