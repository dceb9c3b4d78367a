"""Progress of fetching and reading: one line that changes on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from grasp_bench.core.outlets import styled
from grasp_bench.core.progress import Event
from grasp_bench.core.shown import shown_line

BETWEEN_CHANGES, BETWEEN_LINES = 0.2, 10.0  # seconds


class Telling:
    """A Report for the time of a `with`; what it says goes to stderr."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._said = 0.0
        self._task = ""

    def __enter__(self) -> Telling:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live and self._task:
            sys.stderr.write("\n")

    def __call__(self, event: Event) -> None:
        """Say how far a task is, unless something was said just now; a note is said at once."""
        now = time.monotonic()
        due = now - self._said >= (BETWEEN_CHANGES if self._live else BETWEEN_LINES)
        if not (due or event.note or event.task != self._task):
            return
        ended = "\n" if self._live and self._task and (event.task != self._task or event.note) else ""
        self._said, self._task = now, event.task
        line = shown_line(f"{event.task}  {_amount(event)}" + (f"  {event.note}" if event.note else ""))
        stream = styled(sys.stderr)  # for the return and the clearing of the line
        stream.write(f"{ended}\r\x1b[K{line}" if self._live else f"{line}\n")
        stream.flush()


def _amount(event: Event) -> str:
    if event.unit == "bytes":
        of = f" of {event.total / 1e6:,.1f} MB ({event.done / event.total:.0%})" if event.total else " MB"
        return f"{event.done / 1e6:,.1f}{of}"
    return f"{event.done:,} {event.unit}"
