"""The one place where text leaves the process: stdout and stderr as every command sees them.

    Outlet        shows control characters instead of sending them
    └── Results   stdout: where its reader has gone, the process ends, as by SIGPIPE
    └── Remarks   stderr: where nobody can read it any more, the work goes on without words

What makes escape sequences of its own (`core.console`) writes to `styled(stream)`, below the Outlet. Glyphs
that a stream's encoding lacks are replaced on both ways, and a stream that was closed is opened to nowhere.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from collections.abc import Iterable
from typing import IO, Any, NoReturn, TextIO, cast

from grasp_bench.core.shown import shown, shown_json

READER_GONE = 141  # 128 + SIGPIPE, as shells report a program whose reader has gone
GLYPHS = "grasp_bench.glyphs"
# What the harness itself writes beyond ASCII; one character each where columns and bars must not shift.
_LOOKALIKES = {
    "–": "-", "−": "-", "×": "x", "≈": "=", "±": "~", "°": "o", "†": "!", "·": ".", "…": ".", "≥": ">=",
    **dict(zip("▁▂▃▄▅▆▇█", "1234567#", strict=True)),
}  # fmt: skip


class _Over:
    """A text stream over another one. It has no `buffer`: bytes would leave unseen."""

    def __init__(self, under: TextIO) -> None:
        self._under = under

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._under, name)

    def write(self, text: str) -> int:
        """Write text and return its length."""
        return self._under.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write one after another."""
        for line in lines:
            self.write(line)


class Results(_Over):
    """What was asked for. Raises SystemExit where the reader has gone, else OSError, once."""

    def write(self, text: str) -> int:
        """Write text; the process ends where nobody reads it."""
        try:
            return self._under.write(text)
        except OSError as error:
            self._give_up(error)

    def flush(self) -> None:
        """Write what is held back."""
        try:
            self._under.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> NoReturn:
        discard(self._under)
        if isinstance(error, BrokenPipeError):
            raise SystemExit(READER_GONE)
        raise error


class Remarks(_Over):
    """What is said besides: no disk that is full and no terminal that is gone stops the work for it."""

    def write(self, text: str) -> int:
        """Write text, or from now on nowhere."""
        try:
            return self._under.write(text)
        except OSError:
            discard(self._under)
            return len(text)

    def flush(self) -> None:
        """Write what is held back."""
        try:
            self._under.flush()
        except OSError:
            discard(self._under)


class Outlet(_Over):
    """Shows control characters of whatever is written to it."""

    @property
    def styled(self) -> TextIO:
        """The stream below, for text that is shown already and carries sequences of our own."""
        return self._under

    def write(self, text: str) -> int:
        """Write text as it may be shown."""
        if text_shown := shown(text):  # click asks by an empty write what a stream takes, and drops its error
            self._under.write(text_shown)
        return len(text)


def guard_streams() -> None:
    """Put Outlets over stdout and stderr, for the rest of the process; a second call changes nothing."""
    _open_closed()
    for name, kind in (("stdout", Results), ("stderr", Remarks)):
        stream = getattr(sys, name)
        if not isinstance(stream, Outlet):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors=GLYPHS)
            setattr(sys, name, Outlet(cast("TextIO", kind(stream))))


def styled(stream: IO[str]) -> IO[str]:
    """The way below the Outlet, if there is one over the stream."""
    return cast("IO[str]", getattr(stream, "styled", stream))


def discard(stream: IO[str]) -> None:
    """Let what is still to be written go nowhere, so that nothing fails again when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def json_for(stream: IO[str], value: Any, indent: int | None = None) -> str:
    """JSON that arrives through a stream with the same values, whatever the stream can encode."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    unicode = codecs.lookup(encoding).name.startswith("utf")
    return shown_json(json.dumps(value, indent=indent, allow_nan=False, ensure_ascii=not unicode))


def _open_closed() -> None:
    """Open standard streams that were closed: the next file that is opened would take their numbers."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            os.set_inheritable(opened, True)  # workers would have it closed again
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_LOOKALIKES.get(glyph) or _escaped(glyph) for glyph in lacking), error.end


def _escaped(glyph: str) -> str:
    return glyph.encode("ascii", "backslashreplace").decode("ascii")


codecs.register_error(GLYPHS, _replace)
