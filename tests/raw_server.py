"""A server on 127.0.0.1 that answers each connection with bytes as they are given, right or wrong."""

import socket
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

Answer = bytes | Callable[[threading.Event], Iterable[bytes]]


class RawServer:
    """Answers one request a connection: `answers` one after the other, the last for ever.

    Args:
        answers: bytes, or what yields them piece by piece; it is given the event that ends the server, to wait on.
    """

    def __init__(self, *answers: Answer) -> None:
        self._answers, self.asked, self._over = answers, [], threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._socket.accept()
            except OSError:  # closed: over
                return
            with line:
                self._answer(line)

    def _answer(self, line: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            piece = line.recv(4096)
            if not piece:
                return
            request += piece
        answer = self._answers[min(len(self.asked), len(self._answers) - 1)]
        self.asked.append(request.decode())
        try:
            for piece in [answer] if isinstance(answer, bytes) else answer(self._over):
                line.sendall(piece)
        except OSError:  # whoever asked is gone
            return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    """An answer whose connection ends with it; headers and length are as given, nothing is added."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Connection: close", "", ""]).encode("latin-1") + body
