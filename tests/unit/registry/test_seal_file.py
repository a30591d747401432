"""The file of seal keys: made safely, read with suspicion; and the command that makes one."""

import os
import stat
import threading
from pathlib import Path

import pytest

from longshore.registry import seal_file, seal_key, sealing

KEY = bytes(range(32))


def _written(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_file_that_was_made_is_its_owners_alone_and_holds_one_key(tmp_path: Path) -> None:
    path = tmp_path / "seal.key"
    before = os.umask(0)
    try:
        seal_file.make(path)
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(seal_file.read(path)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    path = _written(tmp_path / "seal.key", KEY.hex().encode())

    with pytest.raises(FileExistsError):
        seal_file.make(path)

    assert [key.key for key in seal_file.read(path)] == [KEY]
    assert list(tmp_path.iterdir()) == [path]


def test_of_many_who_make_it_at_once_one_does(tmp_path: Path) -> None:
    path = tmp_path / "seal.key"
    made: list[bool] = []

    def make() -> None:
        try:
            seal_file.make(path)
        except FileExistsError:
            made.append(False)
        else:
            made.append(True)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(made) == [False] * 7 + [True]
    assert len(seal_file.read(path)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o777])
def test_a_file_that_others_can_get_at_is_refused(tmp_path: Path, mode: int) -> None:
    path = _written(tmp_path / "seal.key", KEY.hex().encode(), mode)

    with pytest.raises(seal_file.SealFileError, match=f"has mode {mode:04o}: others can get at it; `chmod 600` it"):
        seal_file.read(path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is no file of seal keys: it holds no key"),
        (b"\xff\xfe hunter2", "is no file of seal keys: line 1"),
        (b"a" * 10_000, "is longer than 4096 bytes"),
    ],
)
def test_a_file_that_holds_something_else_is_refused_without_showing_it(
    tmp_path: Path, content: bytes, fault: str
) -> None:
    path = _written(tmp_path / "seal.key", content)

    with pytest.raises(seal_file.SealFileError, match=fault) as caught:
        seal_file.read(path)

    assert "hunter2" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert str(path) not in caught.value.fault


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)

    for path, fault in [(tmp_path / "none", "cannot be read"), (pipe, "is no file"), (tmp_path, "is no file")]:
        with pytest.raises(seal_file.SealFileError, match=fault):
            seal_file.read(path)


def test_the_command_makes_a_file_and_shows_its_fingerprint_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "seal.key"

    assert seal_key.main([str(path)]) == 0

    (key,) = seal_file.read(path)
    said = capsys.readouterr()
    assert said.out == (
        f"{path} holds the seal key {key.fingerprint}. Keep a copy: without it every access key is lost.\n"
    )
    assert sealing.render(key.key).strip() not in said.out + said.err


def test_the_command_leaves_a_file_alone_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _written(tmp_path / "seal.key", b"mine")

    assert seal_key.main([str(path)]) == 1
    assert seal_key.main([str(tmp_path / "none" / "seal.key")]) == 1

    assert path.read_bytes() == b"mine"
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f"{path} is there already and was left alone: a seal key that is replaced loses every access key.",
        f"{tmp_path}/none/seal.key cannot be made: No such file or directory",
    ]


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["a", "b"], 2), (["--force"], 2), (["--help"], 0)])
def test_the_command_tells_how_it_is_used(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seal_key.main(arguments) == status
    said = capsys.readouterr()
    assert "usage: longshore seal-key FILE" in (said.err if status else said.out)
