"""Runs a command on a pseudo-terminal and gives the bytes that arrive there."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

LINES = 40


def on_terminal(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], columns: int = 200
) -> tuple[int, bytes]:
    """Exit code, and what stdout and stderr of the command wrote to one terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while part := os.read(ours, 65536):
                written += part
        except OSError:  # the other end is closed
            pass
        os.close(ours)
    return process.returncode, written
