"""What the commands print, and how they fail: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from grasp_bench.core.characters import visible
from grasp_bench.core.errors import GraspBenchError, SpecError

if TYPE_CHECKING:
    from rich.console import Console


PIPE_WIDTH = 200


@cache
def console() -> Console:
    """The console that tables are printed on; rich is imported at the first call."""
    from rich.console import Console

    # Into a file or a pipe, lines are for programs and grep: wide enough not to be folded.
    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(highlight=False, width=PIPE_WIDTH if piped else None)


def say(text: str) -> None:
    """Print a line of result to stdout, as it is."""
    sys.stdout.write(text + "\n")


_LOG = {"format": "text"}  # of stderr, for the whole process


def log_in_json() -> None:
    """From here on everything on stderr is one JSON object a line, as the events of a run are."""
    _LOG["format"] = "json"


def note(text: str) -> None:
    """Print a line to stderr, as it is."""
    if _LOG["format"] == "json":
        _log("note", text=text)
    else:
        sys.stderr.write(text + "\n")


def _log(event: str, **fields: Any) -> None:
    line = {"time": round(time.time(), 3), "event": event, **fields}
    sys.stderr.write(json.dumps(line, ensure_ascii=False) + "\n")


def say_json(value: Any) -> None:
    """Print a value as JSON."""
    say(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))


def report_error(error: GraspBenchError) -> int:
    """Print an error and its mend to stderr; return the exit code that goes with it."""
    if _LOG["format"] == "json":
        problems = list(error.problems) if isinstance(error, SpecError) else []
        _log("error", message=error.message, mend=error.mend, problems=problems, exit_code=error.exit_code)
    elif isinstance(error, SpecError):
        for problem in error.problems:
            note(_visible(problem))
        if error.more:
            note(f"and {error.more:,} more problems; the first {len(error.problems)} are told")
        elif len(error.problems) > 1:
            note(f"{len(error.problems)} problems")
    else:
        note(_visible(f"error: {error.message}"))
        if error.mend:
            note(_visible(f"  mend: {error.mend}"))
    return error.exit_code


def _visible(message: str) -> str:
    """A message may quote what commands a terminal; its own lines stay lines."""
    return "\n".join(visible(line) for line in message.split("\n"))
