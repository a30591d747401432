"""What the probe says of a gateway by its page of readiness, and of what is none."""

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.rpc import http_probe, probe, tls
from tests.rpc.rpc import test_channels

TIMEOUT_S = 5.0


@contextlib.contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """The URL of a server that answers so to whatever is asked under /readyz, and 404 to anything else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b'{"status": "ok"}', "SERVING"),
        (503, b'{"components": {"registry": "SERVING", "scheduler": "x"}}', "NOT_SERVING: scheduler behind it"),
        (503, b"<html>", "NOT_SERVING"),
        (503, b'{"components": null}', "NOT_SERVING"),
        (404, b"", "UNREACHABLE: /readyz is answered with 404, as no gateway does"),
    ],
)
def test_a_gateway_is_as_ready_as_it_says(status: int, body: bytes, said: str) -> None:
    with answering(status, body) as url:
        assert http_probe.check(url, timeout_s=TIMEOUT_S) == said


def test_what_cannot_be_reached_says_why_within_its_time() -> None:
    assert (
        http_probe.check(f"http://{test_channels.unused()}", timeout_s=TIMEOUT_S) == "UNREACHABLE: Connection refused"
    )
    with test_channels.silence() as silent:
        assert http_probe.check(f"http://{silent}", timeout_s=0.1) == "UNREACHABLE: timed out"
        assert http_probe.check(f"https://{silent}", timeout_s=0.1).startswith("UNREACHABLE: ")


@pytest.mark.parametrize("url", ["127.0.0.1:8700", "ftp://box", "http://", "http://box:port"])
def test_what_is_no_url_is_told(url: str) -> None:
    assert http_probe.check(url, timeout_s=TIMEOUT_S).startswith("UNREACHABLE: ")


def test_certificate_files_that_cannot_be_read_are_told() -> None:
    missing = tls.Files(*(Path("/no/such.pem") for _ in range(3)))
    assert http_probe.check("https://box", timeout_s=TIMEOUT_S, files=missing).startswith("UNREACHABLE: ")


def test_the_command_takes_a_url(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(200, b"{}") as url:
        assert probe.main([url], {}) == 0
        assert capsys.readouterr().out == f"{url} SERVING\n"
    assert probe.main([url], {}) == 1
    assert capsys.readouterr().out == f"{url} UNREACHABLE: Connection refused\n"
