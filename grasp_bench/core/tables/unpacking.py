"""Bytes of plain and gzipped files, in chunks, with a bound on what a packed file may unpack to."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from grasp_bench.core.errors import DataError, MissingFileError

CHUNK = 1 << 20
MOST_UNPACKED = 1 << 30  # bytes of a packed file that is held in memory
MOST_TIMES = 100  # a packed file that is only streamed may be larger, but not more often than this
DAMAGED = (gzip.BadGzipFile, EOFError, zlib.error)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what can go wrong with a file as such into MissingFileError or DataError, which name it."""
    try:
        yield
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file", mend="correct the path") from None
    except DAMAGED:
        raise DataError(f"{path}: damaged gzip file", mend="fetch or pack it again") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


def is_packed(path: Path) -> bool:
    """True for a name that ends in .gz."""
    return path.name.endswith(".gz")


def opened(path: Path) -> BinaryIO:
    """The file's bytes, unpacked, without any bound: for files whose size is known to be in bounds."""
    return cast(BinaryIO, gzip.open(path)) if is_packed(path) else path.open("rb")


def chunks(path: Path, most: int | None = None) -> Iterator[bytes]:
    """The file's bytes, unpacked; DataError as soon as a packed file yields more than `most` (1 GiB)."""
    done, most = 0, MOST_UNPACKED if most is None else most
    with opened(path) as stream:
        while chunk := stream.read(CHUNK):
            done += len(chunk)
            if done > most and is_packed(path):
                raise DataError(
                    f"{path}: unpacks to more than {most:,} bytes",
                    mend="if it is meant to be so large, unpack it (gunzip): plain files have no such bound",
                )
            yield chunk


def contents(path: Path) -> bytes:
    """All bytes, unpacked within the bound."""
    return b"".join(chunks(path)) if is_packed(path) else path.read_bytes()


def most_streamed(path: Path) -> int:
    """The bound for a packed file that never lies in memory as a whole."""
    return max(MOST_UNPACKED, MOST_TIMES * path.stat().st_size)
