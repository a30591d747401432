import socket
from pathlib import Path

from longshore.agent import diagnosis


def test_no_socket_says_how_to_install_and_start_an_engine(tmp_path: Path) -> None:
    found = diagnosis.explain(f"unix://{tmp_path}/docker.sock", "refused", uid=1000)
    assert "apt-get install docker.io" in found.text
    assert f"{tmp_path}/docker.sock does not exist" in found.text
    assert found.lasting


def test_something_else_in_its_place_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert "is not the socket" in diagnosis.explain(f"unix://{file}", "refused", uid=1000).text


def test_a_socket_without_an_answer_may_answer_later(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        found = diagnosis.explain(f"unix://{path}", "refused", uid=0)
    assert "does not answer (refused)" in found.text
    assert not found.lasting


def test_a_remote_engine_is_named_by_its_address() -> None:
    assert "tcp://h:2375 (timed out)" in diagnosis.explain("tcp://h:2375", "timed out", uid=0).text
