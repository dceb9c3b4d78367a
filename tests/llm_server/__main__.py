"""`python -m llm_server LOG SETTINGS`: serves on loopback, prints its port, ends with its standard input."""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path

from llm_server.server import Server
from llm_server.settings import Settings
from llm_server.tally import Tally

BACKLOG = 1024


async def main() -> None:
    """Serve until standard input ends: no server outlives the process that started it, even a killed one."""
    log, text = sys.argv[1:]
    settings = Settings.from_json(text)
    tls = None
    if settings.certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*settings.certificate)
    server = Server(settings, Tally(Path(log)))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", settings.port, ssl=tls, backlog=BACKLOG)
    print(listening.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()
    listening.close()


if __name__ == "__main__":
    asyncio.run(main())
