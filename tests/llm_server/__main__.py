"""`python -m llm_server`: hosts servers on loopback, as lines of JSON on standard input order them.

{"log": path, "settings": {...}} starts one and prints its port; {"close": port} ends it and prints its port.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any

from llm_server.server import Server
from llm_server.settings import Settings
from llm_server.tally import Tally

BACKLOG = 1024


class Hosted:
    """A server in a thread of its own; what it still does when it is ended is cancelled."""

    def __init__(self, log: Path, settings: Settings) -> None:
        self._started: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = Thread(target=self._run, args=(log, settings), daemon=True)
        self._thread.start()
        self.port, self._loop, self._ended = self._started.result()

    def end(self) -> None:
        """Stop listening, and cut what is under way."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _run(self, log: Path, settings: Settings) -> None:
        try:
            asyncio.run(self._serve(Server(settings, Tally(log)), settings))
        except OSError as error:  # the port is taken
            self._started.set_exception(error)

    async def _serve(self, server: Server, settings: Settings) -> None:
        tls = None
        if settings.certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(*settings.certificate)
        listening = await asyncio.start_server(
            server.serve, "127.0.0.1", settings.port, ssl=tls, backlog=BACKLOG
        )
        ended = asyncio.Event()
        port = listening.sockets[0].getsockname()[1]
        self._started.set_result((port, asyncio.get_running_loop(), ended))
        await ended.wait()
        listening.close()


def main() -> None:
    """Serve until standard input ends: no server outlives the process that started it, even a killed one."""
    hosted: dict[int, Hosted] = {}
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        if "close" in order:
            port = order["close"]
            hosted.pop(port).end()
        else:
            new = Hosted(Path(order["log"]), Settings.from_json(json.dumps(order["settings"])))
            hosted[port := new.port] = new
        print(port, flush=True)


if __name__ == "__main__":
    main()
