"""A small web server on loopback that serves files well, or badly in ways that real servers do."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Manners:
    """How the server behaves; `requests` is what it was asked, as (path, Range or '').

    `cut_after`: bytes sent before the connection is cut, one entry a request, then no more cuts.
    `ranges`: whether Range is understood. `etag`, `length`: whether they are told.
    `statuses`: answers to the first requests. `moved`: paths that are redirected.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ranges: bool = True
    etag: bool = True
    length: bool = True
    moved: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    manners: Manners

    def do_GET(self) -> None:
        manners = self.manners
        manners.requests.append((self.path, self.headers.get("Range", "")))
        if manners.statuses:
            self._answer_only(manners.statuses.pop(0))
        elif self.path in manners.moved:
            self.send_response(302)
            self.send_header("Location", manners.moved[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path not in manners.files:
            self._answer_only(404)
        else:
            self._send(manners.files[self.path])

    def _send(self, content: bytes) -> None:
        manners, tag = self.manners, f'"{hashlib.md5(content).hexdigest()}"'
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") in (None, tag)
        begin = int(asked[1]) if asked and manners.ranges and same else 0
        if begin >= len(content) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        if manners.etag:
            self.send_header("ETag", tag)
        if manners.length:
            self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        end = begin + manners.cut_after.pop(0) if manners.cut_after else len(content)
        self.wfile.write(content[begin:end])
        self.wfile.flush()
        self.close_connection = True

    def _answer_only(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@contextmanager
def serving(manners: Manners) -> Iterator[str]:
    """Serve until the end of the `with`; gives the address, ending in /."""
    handler = type("Handler", (_Handler,), {"manners": manners})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
