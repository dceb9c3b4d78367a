"""Read bytes of plain and packed files within bounds, and survey text files before they are parsed.

The survey is one pass that finds the encoding, line ends and sizes.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from grasp_bench.core.errors import DataError, MissingFileError
from grasp_bench.core.words import listed

CHUNK = 1 << 20
MOST_UNPACKED = 1 << 30  # bytes; for a packed file held in memory
MOST_TIMES = 100  # a streamed packed file may unpack to this many times its size
DAMAGED = (gzip.BadGzipFile, EOFError, zlib.error, zipfile.BadZipFile)
PACKINGS = (".gz", ".zip")
_BESIDE = re.compile(r"^__MACOSX/|(^|/)(\.|readme)[^/]*$", re.IGNORECASE)


@dataclass(frozen=True)
class Recoded:
    """The contents of a text file as UTF-8, and the file for messages."""

    path: Path
    data: bytes

    def __str__(self) -> str:
        return str(self.path)


Source = Path | Recoded


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of opening and unpacking into MissingFileError or DataError, which name the file."""
    try:
        yield
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file", hint="correct the path") from None
    except DAMAGED:
        kind = "zip" if is_zip(path) else "gzip"
        raise DataError(f"{path}: damaged {kind} file", hint="fetch or pack it again") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


def is_packed(path: Source) -> bool:
    """Return True for a name that ends in .gz or .zip."""
    return isinstance(path, Path) and path.suffix.lower() in PACKINGS


def is_zip(path: Source) -> bool:
    """Return True for a name that ends in .zip."""
    return isinstance(path, Path) and path.suffix.lower() == ".zip"


def bare_name(path: Path) -> str:
    """Return the name of the file without its packing; of an archive, that of the table in it."""
    if is_zip(path) and path.is_file():
        with zipfile.ZipFile(path) as archive:
            return only_member(path, archive).rpartition("/")[2]
    return path.stem if is_packed(path) else path.name


def only_member(path: Path, archive: zipfile.ZipFile) -> str:
    """Return the name of the only table in an archive; DataError if there is none or there are several."""
    names = [name for name in archive.namelist() if not (name.endswith("/") or _BESIDE.search(name))]
    if len(names) != 1:
        what = f"{len(names)} files ({listed(names)})" if names else "no table"
        raise DataError(f"{path}: holds {what}, where one is wanted", hint="unpack it, and name the file")
    return names[0]


def opened(path: Source) -> BinaryIO:
    """Open a file for unpacked bytes, without a bound: for files of known size."""
    if isinstance(path, Recoded):
        return io.BytesIO(path.data)
    if is_zip(path):
        archive = zipfile.ZipFile(path)
        return cast(BinaryIO, archive.open(only_member(path, archive)))
    return cast(BinaryIO, gzip.open(path)) if is_packed(path) else path.open("rb")


def chunks(path: Source, most: int | None = None) -> Iterator[bytes]:
    """Yield unpacked bytes; DataError as soon as a packed file yields more than `most` (1 GiB)."""
    done, most = 0, MOST_UNPACKED if most is None else most
    with opened(path) as stream:
        while chunk := stream.read(CHUNK):
            done += len(chunk)
            if done > most and is_packed(path):
                raise DataError(
                    f"{path}: unpacks to more than {most:,} bytes",
                    hint="if it is meant to be so large, unpack it (gunzip): plain files have no such bound",
                )
            yield chunk


def contents(path: Source) -> bytes:
    """Return all bytes, unpacked within the bound."""
    if isinstance(path, Recoded):
        return path.data
    return b"".join(chunks(path)) if is_packed(path) else path.read_bytes()


def most_streamed(path: Path) -> int:
    """Return the bound for a packed file that is only streamed."""
    return max(MOST_UNPACKED, MOST_TIMES * path.stat().st_size)


BOM = codecs.BOM_UTF8
LONGEST = 1 << 24  # bytes of a line, characters of a field
MOST_COLUMNS = 4096
_LONE_CR = re.compile(rb"\r(?!\n|\Z)")  # at the end of a chunk, the next chunk decides
_OTHER_FORMATS = {
    codecs.BOM_UTF16_LE: ("UTF-16", "convert it: iconv -f UTF-16 -t UTF-8"),
    codecs.BOM_UTF16_BE: ("UTF-16", "convert it: iconv -f UTF-16 -t UTF-8"),
    b"\x1f\x8b": ("packed by gzip", "give it a name that ends in .gz"),
    b"PK\x03\x04": (
        "a zip archive or a spreadsheet",
        "give an archive a name that ends in .zip; save a spreadsheet as CSV",
    ),
}


@dataclass(frozen=True)
class Survey:
    """Facts of a text file. `lone_cr` is the offset of the first carriage return without a line feed."""

    quotes: bool
    lone_cr: int | None
    blank: bool

    def refuse_lone_cr(self, path: Source) -> None:
        """Raise DataError for a lone carriage return, which is the line end of old Macs."""
        if self.lone_cr is not None:
            raise lone_cr(path, line_at(path, self.lone_cr))


def survey(path: Source, most: int | None = None) -> Survey:
    """Read every byte once, in constant memory.

    Raises DataError, with the line, for bytes that are not UTF-8, NUL characters, and lines of more than
    16 MiB; and for a packed file that unpacks to more than `most` bytes (1 GiB).
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    done = length = 0
    quotes, blank, after_cr = False, True, False
    first_cr: int | None = None
    for chunk in chunks(path, most):
        if not done:
            _refuse_other_formats(path, chunk)
        _decode(path, decoder, chunk, done)
        first = chunk.find(b"\n")
        if length + (len(chunk) if first < 0 else first) > LONGEST:
            raise DataError(
                f"{path}:{line_at(path, done)}: a line of more than {LONGEST >> 20} MiB",
                hint="is this a table, with one row a line? shorten the line",
            )
        length = length + len(chunk) if first < 0 else len(chunk) - chunk.rindex(b"\n") - 1
        if after_cr and first != 0:
            first_cr = done - 1
        if first_cr is None and b"\r" in chunk:
            found = _LONE_CR.search(chunk)
            first_cr = found and done + found.start()
        after_cr = first_cr is None and chunk.endswith(b"\r")
        quotes = quotes or b'"' in chunk
        blank = blank and not (chunk if done else chunk.removeprefix(BOM)).strip()
        done += len(chunk)
    _decode(path, decoder, b"", done, final=True)
    return Survey(quotes, done - 1 if after_cr else first_cr, blank)


def line_at(path: Source, offset: int) -> int:
    """Return the line of the byte at an offset of the unpacked file."""
    line, done = 1, 0
    for chunk in chunks(path, offset + CHUNK):
        line += chunk.count(b"\n", 0, offset - done)
        done += len(chunk)
        if done > offset:
            break
    return line


def lone_cr(path: Source, line: int) -> DataError:
    """Return the error for a carriage return without a line feed."""
    return DataError(
        f"{path}:{line}: a carriage return (CR) without a line feed: the line ends of old Macs?",
        hint="end lines with a line feed: tr '\\r' '\\n' < old > new",
    )


def _refuse_other_formats(path: Source, head: bytes) -> None:
    for magic, (what, hint) in _OTHER_FORMATS.items():
        if head.startswith(magic):
            raise DataError(f"{path}:1: {what}, where UTF-8 text is wanted", hint=hint)


def _decode(
    path: Source, decoder: codecs.IncrementalDecoder, chunk: bytes, done: int, final: bool = False
) -> None:
    """Check that a chunk after `done` bytes is UTF-8 without NUL; report the first fault."""
    nul = chunk.find(b"\0")
    pending = decoder.getstate()[0]
    try:
        if pending or final or not chunk.isascii():
            decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        place = done - len(pending) + error.start
        if not 0 <= nul < place - done:
            raise DataError(
                f"{path}:{line_at(path, place)}: not UTF-8: byte 0x{error.object[error.start]:02x} "
                f"(offset {place:,})",
                hint="convert it, from Latin-1 for example: iconv -f ISO-8859-1 -t UTF-8 old > new",
            ) from None
    if nul >= 0:
        raise DataError(
            f"{path}:{line_at(path, done + nul)}: a NUL character: UTF-16 without a mark, or damage",
            hint="convert it (iconv -f UTF-16LE -t UTF-8 old > new), or write it again",
        )
