"""Serve the pages on this machine until Ctrl-C."""

from __future__ import annotations

import os
import socket
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.machine import require

LOOPBACK = ("127.0.0.1", "localhost", "::1")
NAMES = ("127.0.0.1", "localhost", "[::1]")  # of this machine, as a request names it
PORT = 8321
SECONDS_TO_END = 2


def serve(
    results: Path, *, host: str, port: int | None, path: str, opens: bool, tell: Callable[[str], None]
) -> None:
    """Serve the boards of a folder at `http://host:port`; by default 8321, or a free port if that is taken.

    `path` is opened in the browser if `opens`. `tell` is called with the address once it answers. Raises
    MissingExtraError without the libraries, GraspBenchError for an address that cannot be had. Returns at
    Ctrl-C.
    """
    require("starlette", extra="web")
    uvicorn = require("uvicorn", extra="web")
    from grasp_bench.report.web.app import make_app

    app = make_app(results, NAMES if host in LOOPBACK else ["*"])
    with _listening(host, port) as listening:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listening.getsockname()[1]}{path}"
        tell(f"{address} shows {results}; Ctrl-C ends it")
        if host not in LOOPBACK:
            tell(f"anybody who reaches {host} can read these results: there is no password")
        if opens and _has_screen():
            webbrowser.open(address)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", ws="none", server_header=False,
            timeout_graceful_shutdown=SECONDS_TO_END,
        )  # fmt: skip
        try:
            uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt:
            return


def _listening(host: str, port: int | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    wanted = (PORT, 0) if port is None else (port,)
    for each in wanted:
        try:
            return socket.create_server((host, each), family=family)
        except OSError as error:
            reason = error.strerror or str(error)
    raise GraspBenchError(
        f"cannot listen on {host}, port {wanted[-1]}: {reason}", hint="give another --port, or none"
    )


def _has_screen() -> bool:
    """Whether a browser would be a window. A browser in the terminal would take the terminal away."""
    return sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
