"""Starts and stops the test server, for tests and benchmarks.

with launch(tmp_path, latency=0.05, faults=[Fault("status", rate=0.1, status=503)]) as server:
    ...  # api_base: server.address
assert server.counts().twice_billed == {}
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from llm_server.settings import Settings
from llm_server.tally import Counts

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Running:
    """A server that answers at `address` (ends in /v1: an `api_base`) and writes to `log`."""

    address: str
    log: Path

    @property
    def port(self) -> int:
        """To start another one in its place."""
        return int(self.address.rpartition(":")[2].partition("/")[0])

    def counts(self) -> Counts:
        """What has come and been billed so far; may be read when the server is gone."""
        return Counts(self.log)

    def change(self, **settings: Any) -> None:
        """Replace some settings while it runs; see `Settings`."""
        body = Settings().changed(settings).to_json()
        given = {name: value for name, value in json.loads(body).items() if name in settings}
        address = f"{self.address.removesuffix('/v1')}/control/settings"
        request = urllib.request.Request(address, json.dumps(given).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()


@contextmanager
def launch(folder: Path, **settings: Any) -> Iterator[Running]:
    """Run a server in another process; its log is `folder/llm_server.jsonl`, continued if there."""
    asked = Settings().changed(settings)
    log = folder / "llm_server.jsonl"
    port = host().ask({"log": str(log), "settings": json.loads(asked.to_json())})
    scheme = "http" if asked.certificate is None else "https"
    try:
        yield Running(f"{scheme}://127.0.0.1:{port}/v1", log)
    finally:
        host().ask({"close": port})


class Host:
    """The process that hosts the servers of this one: to start one for each takes longer than most tests."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "llm_server"],
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
            stdin=subprocess.PIPE,  # whose end ends it
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lock = Lock()

    def ask(self, order: dict[str, Any]) -> int:
        """Send an order; the port that it was about."""
        orders, answers = self._process.stdin, self._process.stdout
        assert orders is not None
        assert answers is not None
        with self._lock:
            print(json.dumps(order), file=orders, flush=True)
            return int(answers.readline())


@cache
def host() -> Host:
    """Of this process."""
    return Host()


def self_signed(folder: Path) -> tuple[str, str]:
    """Make a certificate for 127.0.0.1 that nobody vouches for: paths of it and of its private key."""
    certificate, key = str(folder / "certificate.pem"), str(folder / "private_key.pem")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
            "-keyout", key, "-out", certificate,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key
