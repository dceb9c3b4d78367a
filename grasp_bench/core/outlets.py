"""Guard stdout and stderr: all text that leaves the process passes here.

    Outlet        escapes control characters
    └── Results   stdout: the process ends when its reader has gone, as by SIGPIPE
    └── Remarks   stderr: the work continues when it cannot be written

Code with its own escape sequences (`core.console`) writes to `styled(stream)`, below the Outlet. Glyphs that
a stream's encoding lacks are replaced in both cases, and a closed stream is opened to the null device.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from collections.abc import Iterable
from typing import IO, Any, TextIO, cast

from grasp_bench.core.shown import shown, shown_json

READER_GONE = 141  # 128 + SIGPIPE, as shells report a program whose reader has gone
GLYPHS = "grasp_bench.glyphs"
# ASCII for the glyphs that the harness writes; one character each where columns and bars must not shift.
_LOOKALIKES = {
    "–": "-", "−": "-", "×": "x", "≈": "=", "±": "~", "°": "o", "†": "!", "·": ".", "…": ".", "≥": ">=",
    **dict(zip("▁▂▃▄▅▆▇█", "1234567#", strict=True)),
}  # fmt: skip


class _Over:
    """A text stream over another one. It has no `buffer`, since bytes would bypass it."""

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
        """Write all lines."""
        for line in lines:
            self.write(line)


class Remarks(_Over):
    """A stream for remarks: a full disk or a closed terminal does not stop the work."""

    def write(self, text: str) -> int:
        """Write text; after an error, discard all text."""
        try:
            return self._under.write(text)
        except OSError as error:
            self._fail(error)
            return len(text)

    def flush(self) -> None:
        """Write buffered text."""
        try:
            self._under.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        discard(self._under)


class Results(Remarks):
    """A stream for results. Raises SystemExit when the reader has gone, and any other OSError once."""

    def _fail(self, error: OSError) -> None:
        super()._fail(error)
        if isinstance(error, BrokenPipeError):
            raise SystemExit(READER_GONE)
        raise error


class Outlet(_Over):
    """A stream that escapes control characters."""

    @property
    def styled(self) -> TextIO:
        """The stream below, for text that is already escaped and has our own sequences."""
        return self._under

    def write(self, text: str) -> int:
        """Write escaped text."""
        if text_shown := shown(text):  # click tests a stream by an empty write and ignores its error
            self._under.write(text_shown)
        return len(text)


def guard_streams() -> None:
    """Put Outlets over stdout and stderr for the rest of the process; a second call changes nothing."""
    _open_closed()
    for name, kind in (("stdout", Results), ("stderr", Remarks)):
        stream = getattr(sys, name)
        if not isinstance(stream, Outlet):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors=GLYPHS)
            setattr(sys, name, Outlet(cast("TextIO", kind(stream))))


def standard_streams() -> tuple[TextIO, TextIO]:
    """Return what stdout and stderr are now."""
    return sys.stdout, sys.stderr


def put_back(streams: tuple[TextIO, TextIO]) -> None:
    """Make stdout and stderr what they were: a caller's own streams, in a library."""
    sys.stdout, sys.stderr = streams


def styled(stream: IO[str]) -> IO[str]:
    """Return the stream below its Outlet, if it has one."""
    return cast("IO[str]", getattr(stream, "styled", stream))


def discard(stream: IO[str]) -> None:
    """Send the rest of a stream to the null device, so that nothing fails when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def json_for(stream: IO[str], value: Any, indent: int | None = None) -> str:
    """Return JSON that keeps its values in any encoding of the stream."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    unicode = codecs.lookup(encoding).name.startswith("utf")
    return shown_json(json.dumps(value, indent=indent, allow_nan=False, ensure_ascii=not unicode))


def _open_closed() -> None:
    """Open closed standard streams, whose numbers the next opened file would take."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
            os.set_inheritable(opened, True)  # else it is closed in workers
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
