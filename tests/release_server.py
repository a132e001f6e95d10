"""A publisher's server on 127.0.0.1 that serves a folder and, where it is told to, serves it badly."""

import hashlib
import ssl
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

SERVER_TIME = 1_000_000  # what the server says the time is: years behind whoever asks


@dataclass(frozen=True)
class Fault:
    """What one answer does wrong.

    Attributes:
        status: answered instead of the file.
        headers: beside the status.
        cut: bytes after which the connection is closed.
        stall: bytes after which nothing more comes.
        flip: the byte that is sent wrong.
        then: the file's content from the next answer on.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    stall: int | None = None
    flip: int | None = None
    then: bytes | None = None


class ReleaseServer:
    """Serves `root`; `faults[path]` are the faults of the coming answers for a path, `always[path]` that of all.

    Args:
        root: the folder.
        ranges: whether Range is understood.
        rate: bytes a second of the whole line; None for no limit.
        certificate: the paths of a certificate and its key, for an encrypted line.
    """

    def __init__(
        self, root: Path, ranges: bool = True, rate: float | None = None, certificate: tuple[str, str] | None = None
    ) -> None:
        self.root, self.ranges, self.rate = root, ranges, rate
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.always: dict[str, Fault] = {}
        self.asked: list[tuple[str, str]] = []
        self.sent: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        self.lock, self.line, self.over = threading.Lock(), threading.Lock(), threading.Event()
        server = self

        class Handler(_Handler):
            owner = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._http.server_port}"

    def requests(self, path: str) -> list[str]:
        """The Range headers a path was asked with."""
        return [header for name, header in self.asked if name == path]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.over.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes; the second is not to wait for an answer to the first
    owner: ReleaseServer

    def date_time_string(self, timestamp: int | None = None) -> str:
        return formatdate(SERVER_TIME, usegmt=True)

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.owner
        path = unquote(urlsplit(self.path).path).lstrip("/")
        with server.lock:
            server.asked.append((path, self.headers.get("Range", "")))
            waiting = server.faults[path]
            fault = waiting.pop(0) if waiting else server.always.get(path, Fault())
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        try:
            self._answer(path, fault)
        finally:
            with server.lock:
                server.at_once -= 1

    def _answer(self, path: str, fault: Fault) -> None:
        file = self.owner.root / path
        if fault.status or not file.is_file():
            self.send_response(fault.status or 404)
            for name, value in {"Content-Length": "0", **fault.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            return
        content = file.read_bytes()
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        start, asked = 0, self.headers.get("Range")
        if asked and self.owner.ranges and self.headers.get("If-Range") in (None, etag):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", etag)
        self.end_headers()
        if fault.then is not None:
            file.write_bytes(fault.then)
        if fault.flip is not None:
            content = content[: fault.flip] + bytes([content[fault.flip] ^ 1]) + content[fault.flip + 1 :]
        self._send(path, content[start:], fault)

    def _send(self, path: str, content: bytes, fault: Fault) -> None:
        stop = min(len(content), *(at for at in (fault.cut, fault.stall) if at is not None), len(content))
        for at in range(0, stop, 1 << 14):
            piece = content[at : min(at + (1 << 14), stop)]
            if self.owner.rate:
                with self.owner.line:
                    self.owner.over.wait(len(piece) / self.owner.rate)
            try:
                self.wfile.write(piece)
            except (BrokenPipeError, ConnectionResetError):  # whoever asked is gone
                self.close_connection = True
                return
            with self.owner.lock:
                self.owner.sent[path] += len(piece)
        if fault.stall is not None:
            self.wfile.flush()
            self.owner.over.wait(60)
        if stop < len(content):
            self.close_connection = True
