"""Output of the commands: results to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from grasp_bench.core.errors import GraspBenchError, SpecError
from grasp_bench.core.outlets import json_for
from grasp_bench.core.shown import shown_line

if TYPE_CHECKING:
    from grasp_bench.core.console import ShowingConsole


PIPE_WIDTH = 200


@cache
def console() -> ShowingConsole:
    """Return the console that prints tables; rich is imported at the first call."""
    from grasp_bench.core.console import ShowingConsole

    # Lines in a file or a pipe are for programs and grep: wide enough not to be folded.
    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return ShowingConsole(highlight=False, width=PIPE_WIDTH if piped else None)


def say(text: str) -> None:
    """Print one line of a result to stdout; control characters in names are escaped."""
    sys.stdout.write(shown_line(text) + "\n")


def say_whole(text: str) -> None:
    """Print a result of many lines, such as a board, to stdout."""
    sys.stdout.write(text.rstrip("\n") + "\n")


_LOG = {"format": "text"}  # of stderr, for the whole process


def log_in_json() -> None:
    """Print everything on stderr as one JSON object a line from now on, as the events of a run."""
    _LOG["format"] = "json"


def note(text: str) -> None:
    """Print one line to stderr; control characters in names are escaped."""
    if _LOG["format"] == "json":
        _log("note", text=text)
    else:
        sys.stderr.write(shown_line(text) + "\n")


def note_message(text: str) -> None:
    """Print a message to stderr; lines after the first are indented, so that they belong to it visibly."""
    if _LOG["format"] == "json":
        note(text)
    else:
        first, *others = text.split("\n")
        for line in (first, *(f"    {other}" for other in others)):
            note(line)


def _log(event: str, **fields: Any) -> None:
    line = {"time": round(time.time(), 3), "event": event, **fields}
    sys.stderr.write(json_for(sys.stderr, line) + "\n")


def say_json(value: Any) -> None:
    """Print a value as JSON."""
    say_whole(json_for(sys.stdout, value, indent=2))


def report_error(error: GraspBenchError) -> int:
    """Print an error and its hint to stderr; return its exit code."""
    if _LOG["format"] == "json":
        problems = list(error.problems) if isinstance(error, SpecError) else []
        _log("error", message=error.message, hint=error.hint, problems=problems, exit_code=error.exit_code)
    elif isinstance(error, SpecError):
        for problem in error.problems:
            note(problem)
        if error.more:
            note(f"and {error.more:,} more problems; the first {len(error.problems)} are told")
        elif len(error.problems) > 1:
            note(f"{len(error.problems)} problems")
    else:
        note_message(f"error: {error.message}")
        if error.hint:
            note_message(f"  hint: {error.hint}")
    return error.exit_code
