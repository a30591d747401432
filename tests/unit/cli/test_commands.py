"""The command line as a person types it, as far as it goes without a control plane."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer import testing

from longshore.cli import application, components, connection, exits
from longshore.rpc import errors

RUNNER = testing.CliRunner()


def longshore(*words: str, environ: dict[str, str] | None = None) -> testing.Result:
    return RUNNER.invoke(application.app, list(words), env=environ)


@pytest.mark.parametrize(
    "command",
    [
        *("run", "start", "stop", "events", "status", "cluster", "task", "task-definition", "instance"),
        *components.COMPONENTS,
    ],
)
def test_every_command_is_in_the_help(command: str) -> None:
    assert f" {command} " in longshore("--help").output


@pytest.mark.parametrize(
    "words",
    [
        ("cluster", "create"),
        ("task-definition", "register"),
        ("run",),
        ("start",),
        ("task", "describe"),
        ("instance", "drain"),
        ("events",),
        ("status",),
    ],
)
def test_every_command_has_help_of_its_own(words: tuple[str, ...]) -> None:
    assert longshore(*words, "--help").exit_code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("run",),
        ("run", "web", "--count", "10001"),
        ("run", "web", "--count", "11", "--wait"),
        ("nonsense",),
        ("run", "web", "--env", "A"),
    ],
)
def test_wrong_usage_has_a_status_of_its_own(words: tuple[str, ...]) -> None:
    assert longshore(*words).exit_code == exits.USAGE


def test_an_address_that_is_none_is_told_without_a_stack_trace() -> None:
    done = longshore("task", "list", environ={"LONGSHORE_STATE_TRACKER": "nowhere"})
    assert (done.exit_code, done.output) == (exits.FAILED, "LONGSHORE_STATE_TRACKER: 'nowhere' is not host:port\n")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    done = longshore("task-definition", "register", str(tmp_path / "none.json"))
    assert done.exit_code == exits.FAILED
    assert "No such file or directory" in done.output
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe")
    assert "not text in UTF-8" in longshore("task-definition", "register", str(binary)).output


def test_a_file_with_faults_is_told_before_anything_is_called(tmp_path: Path) -> None:
    file = tmp_path / "faulty.json"
    file.write_text('{"famly": "web"}')
    done = longshore("run", str(file))
    assert done.exit_code == exits.FAILED
    assert "family" in done.output


def test_a_component_whose_packages_are_missing_names_the_extra(capfd: pytest.CaptureFixture[str]) -> None:
    missing = components.Component("longshore.registry", (), ("no_such_package",), "services", "")
    with pytest.raises(SystemExit) as ended:
        components.become(missing, [])
    assert ended.value.code == exits.MISSING_EXTRA
    said = capfd.readouterr().err
    assert "no_such_package" in said
    assert "pip install 'longshore[services]'" in said


def test_a_component_that_this_installation_leaves_out_is_missing_too() -> None:
    left_out = components.Component("longshore.nowhere.at_all", (), (), "services", "")
    assert components.missing(left_out) == ["longshore.nowhere.at_all"]


@pytest.mark.parametrize(
    "name", [*sorted(components.COMPONENTS.keys() - {"seal-key", "drill"}), "drill agent", "drill control-plane"]
)
def test_a_component_s_help_is_its_own(name: str) -> None:
    command = [sys.executable, "-m", "longshore.cli", *name.split(), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: longshore {name} [--flag VALUE ...]")


def test_a_seal_key_is_made_by_a_command(tmp_path: Path) -> None:
    file = tmp_path / "seal.key"
    command = [sys.executable, "-m", "longshore.cli", "seal-key", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{file} holds the seal key ")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_component_starts_without_what_the_command_needs() -> None:
    """Neither loaded, which would cost a start a third of a second, nor missed where it is not installed."""
    hide = (
        "import os, sys; sys.modules['typer'] = sys.modules['rich'] = None; sys.argv = ['longshore', 'up', '--flag'];"
    )
    become = "os.execv = lambda _, words: print(*words[1:], 'grpc' in sys.modules);"
    program = f"{hide}{become} from longshore.cli import __main__; __main__.main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "-m longshore.embedded up --flag False\n"


def test_without_its_own_packages_the_command_names_the_extra() -> None:
    hide = "import sys; sys.modules['typer'] = None; sys.argv = ['longshore', 'status'];"
    program = f"{hide} from longshore.cli import __main__; __main__.main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == exits.MISSING_EXTRA
    assert "pip install 'longshore[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (errors.Unavailable("no"), "longshore up"),
        (errors.DeadlineExceeded("no"), "longshore up"),
        (errors.ClusterNotFoundException("no"), "longshore cluster list"),
        (errors.ClientException("no"), ""),
    ],
)
def test_an_error_says_what_to_do_next(error: errors.ServiceError, hint: str) -> None:
    assert hint in connection.hint_for(error)
    assert bool(hint) == bool(connection.hint_for(error))
