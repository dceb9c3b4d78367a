"""Optuna's journal, without the half lines that a full disk or a killed process leaves."""

from __future__ import annotations

import json
import os
from typing import IO, Any

from optuna.storages.journal import JournalFileBackend

BLOCK = 1 << 12


class Journal(JournalFileBackend):
    """A journal whose every line is whole before another one is appended.

    Optuna passes over half a line at the end, but appends to it, and then no process can read the journal.
    """

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append lines; after an OSError none of them is in the file."""
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        self._lock.acquire()
        try:
            with open(self._file_path, "r+b") as file:
                end = _end_of_lines(file)
                file.truncate(end)
                file.seek(end)
                try:
                    file.write(text.encode())
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    os.ftruncate(file.fileno(), end)
                    raise
        finally:
            self._lock.release()


def _end_of_lines(file: IO[bytes]) -> int:
    """Return the place behind the last end of a line."""
    place = file.seek(0, os.SEEK_END)
    while place > 0:
        start = max(0, place - BLOCK)
        file.seek(start)
        found = file.read(place - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        place = start
    return 0
