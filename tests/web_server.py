"""`grasp-bench board --web` as a process of its own, ended by Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Server:
    """A running server and its address, without a slash at the end."""

    process: subprocess.Popen[str]
    address: str

    def end(self) -> tuple[int, str]:
        """Press Ctrl-C; the exit code and what else was said.

        Not by `communicate`, which does not see lines that were read ahead with the first one.
        """
        self.process.send_signal(signal.SIGINT)
        assert self.process.stderr is not None
        said = self.process.stderr.read()
        return self.process.wait(), said


@contextmanager
def serving(results: Path, *options: str) -> Iterator[Server]:
    """Start the server over a folder of results on a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "grasp_bench", "board", "--web", "--no-open", "--port", "0", *options,
         "--results", str(results)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, cwd=results.parent,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        assert "Ctrl-C ends it" in line, line + process.stderr.read()
        yield Server(process, line.partition(" ")[0].rstrip("/"))
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()
