"""A relay in front of a gateway that loses answers: the request gets through, the connection then breaks."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.e2e import stacks

_ACCEPT_BOUND_S = 0.2
_EXCHANGE_BOUND_S = 30.0
_CHUNK_BYTES = 65536


@dataclass(slots=True)
class Relay:
    """Loses the answers of its first connections; carries one exchange a connection."""

    to: tuple[str, int]
    losing: int
    requests: list[bytes] = field(default_factory=list)
    url: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    def serve(self, listener: socket.socket) -> None:
        """Accept until told to end."""
        while not self.ended.is_set():
            try:
                caller, _ = listener.accept()
            except TimeoutError:
                continue
            with caller:
                self._exchange(caller)

    def _exchange(self, caller: socket.socket) -> None:
        caller.settimeout(_EXCHANGE_BOUND_S)
        request = _message(caller)
        self.requests.append(request)
        with socket.create_connection(self.to, timeout=_EXCHANGE_BOUND_S) as server:
            server.sendall(request)
            answer = _message(server)
        if len(self.requests) > self.losing:
            caller.sendall(answer.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))


@contextlib.contextmanager
def relay(stack: stacks.Stack, *, losing: int) -> Iterator[Relay]:
    """A relay in front of a stack's gateway that loses the first `losing` answers."""
    host, _, port = stack.gateway.removeprefix("http://").rpartition(":")
    with socket.create_server((stacks.LOOPBACK, 0)) as listener:
        listener.settimeout(_ACCEPT_BOUND_S)
        made = Relay((host, int(port)), losing)
        made.url = f"http://{stacks.LOOPBACK}:{listener.getsockname()[1]}"
        thread = threading.Thread(target=made.serve, args=(listener,), name="losing-relay")
        thread.start()
        try:
            yield made
        finally:
            made.ended.set()
            thread.join()


def _message(connection: socket.socket) -> bytes:
    """One whole HTTP message with a Content-Length."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += _more(connection)
    head, _, body = read.partition(b"\r\n\r\n")
    lengths = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < int(lengths[0]):
        body += _more(connection)
    return head + b"\r\n\r\n" + body


def _more(connection: socket.socket) -> bytes:
    chunk = connection.recv(_CHUNK_BYTES)
    if not chunk:
        raise ConnectionError("the other side ended within a message")
    return chunk
