"""Download files, resuming where a connection broke and checking the SHA-256.

A download resumes (Range) if the server says that the file is still the same (If-Range), and else begins
anew. A file gets its name when it is whole and, if a checksum is known, has the right one.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import ssl
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError

from grasp_bench.core import atomic
from grasp_bench.core.errors import DataError, DownloadError, StoreError
from grasp_bench.core.hashing import sha256_of
from grasp_bench.core.progress import Event, Report, silent
from grasp_bench.data.sources.http import Response, open_url
from grasp_bench.data.sources.records import chunks

CHUNK = 1 << 18
SPARE = 1 << 26  # bytes that stay free on the disk
# Seconds before the next attempt; the series restarts whenever bytes arrived.
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM})


def fetch(
    url: str,
    target: Path,
    sha256: str | None = None,
    report: Report = silent,
    pauses: Sequence[float] = PAUSES,
) -> str:
    """Fetch `url` to `target` and return its SHA-256, which must equal `sha256` if that is given.

    Raises DownloadError when the address cannot be reached, refuses, or keeps breaking off (the partial file
    is kept for the next call), and for a wrong checksum (nothing is kept); StoreError when the disk is full
    or cannot be written.
    """
    part = PartialDownload.of(target, url)
    left = list(pauses)
    while True:
        before = part.size()
        why = _attempt(part, report)
        if why is None:
            break
        if part.size() > before:
            left = list(pauses)
        if not left:
            raise DownloadError(
                f"{url}: {why} ({part.size():,} bytes are here)",
                hint="try again later: the same command goes on from there; or give the file with --raw",
            )
        report(Event(_task(part), part.size(), 0, "bytes", f"{why}; trying again"))
        time.sleep(left.pop(0))
    found = sha256_of(part.path)
    if sha256 is not None and found != sha256.lower():
        part.discard()
        raise DownloadError(
            f"{url}: has the SHA-256 {found}, not the expected {sha256.lower()}; it was thrown away",
            hint=f"if the publisher has changed the file, say --sha256 {target.name}={found} and delete "
            f"{target.name}.sha256 where there is one",
        )
    part.finish(target)
    return found


def _attempt(part: PartialDownload, report: Report) -> str | None:
    """Fetch what is missing; None when the file is whole, else the transient error in words."""
    try:
        validator = part.validator()
        with open_url(part.url, part.size(), validator) as (answer, stream):
            if not _fits(part, answer, validator):
                return "the file has changed on the server"
            if answer.begins is not None:
                _check_space(part, answer)
                _write(part, answer, stream, report)
        return _what_is_wrong(part, answer)
    except (HTTPException, OSError) as error:
        _raise_permanent(part, error)
        return f"the connection broke off ({_words(error)})"


def _fits(part: PartialDownload, answer: Response, validator: str | None) -> bool:
    """Prepare to resume or to begin anew; False when this response allows neither."""
    if answer.begins == 0:
        part.begin(answer.validator)
        return True
    same = answer.validator in (None, validator)
    at_the_end = answer.begins is None and answer.total == part.size()
    if same and (at_the_end or answer.begins == part.size()):
        return True
    part.discard()
    return False


def _check_space(part: PartialDownload, answer: Response) -> None:
    free = shutil.disk_usage(part.path.parent).free
    missing = (answer.total or 0) - part.size()
    if missing + SPARE > free:
        raise StoreError(
            f"{part.path.parent}: {free / 1e6:,.0f} MB free, {(missing + SPARE) / 1e6:,.0f} MB needed for "
            f"{part.url}",
            hint="free the disk, or set GRASP_BENCH_DATA (or --to) to a folder on another one",
        )


def _write(part: PartialDownload, answer: Response, stream: IO[bytes], report: Report) -> None:
    done = part.size()
    with part.path.open("ab") as out:
        # read1 returns what has arrived so far, so that a broken connection loses nothing.
        while chunk := stream.read1(CHUNK):  # type: ignore[attr-defined]
            out.write(chunk)
            done += len(chunk)
            report(Event(_task(part), done, answer.total or 0, "bytes"))
        out.flush()
        os.fsync(out.fileno())


def _what_is_wrong(part: PartialDownload, answer: Response) -> str | None:
    size = part.size()
    if answer.total is None:
        if _ends_as_it_should(part.path):
            return None
        part.discard()
        return "the file is cut short, and the server does not tell its length"
    if size > answer.total:
        part.discard()
        return f"{size:,} bytes came, where {answer.total:,} were announced"
    return None if size == answer.total else f"the connection broke off at {size:,} of {answer.total:,} bytes"


def _ends_as_it_should(path: Path) -> bool:
    """True when the format says that the file is complete: the server gave no length."""
    kind = Path(path.stem).suffix
    if kind == ".zip":
        return zipfile.is_zipfile(path)
    if kind != ".gz":
        return True
    try:
        for _ in chunks(path, packing=".gz"):
            pass
    except DataError:
        return False
    return True


def _raise_permanent(part: PartialDownload, error: Exception) -> None:
    """Raise if no further attempt can succeed."""
    reason = error.reason if isinstance(error, URLError) and not isinstance(error, HTTPError) else error
    if isinstance(reason, OSError) and reason.errno in DISK_FAULTS and not isinstance(error, URLError):
        raise StoreError(
            f"{part.path}: cannot be written ({reason.strerror})",
            hint="free the disk, or set GRASP_BENCH_DATA (or --to) to another folder: what has come is kept",
        ) from None
    if isinstance(reason, socket.gaierror | ConnectionRefusedError | ssl.SSLCertVerificationError):
        raise DownloadError(
            f"{part.url}: cannot be reached ({_words(error)})",
            hint="is there a network, or a proxy to be set (https_proxy)? Or fetch the file elsewhere and "
            "give it with --raw",
        ) from None


def _words(error: BaseException) -> str:
    if isinstance(error, HTTPError):
        return f"{error.code} {error.reason}"
    if isinstance(error, URLError) and isinstance(error.reason, BaseException):
        return _words(error.reason)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _task(part: PartialDownload) -> str:
    return f"fetch {part.path.stem}"


@dataclass(frozen=True)
class PartialDownload:
    """A file that is not complete yet: `<name>.part`, and `<name>.part.json` with address and validator."""

    path: Path
    url: str

    @classmethod
    def of(cls, target: Path, url: str) -> PartialDownload:
        """The partial download of `target`."""
        return cls(target.with_name(target.name + ".part"), url)

    @property
    def _note(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def size(self) -> int:
        """Bytes downloaded so far."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def validator(self) -> str | None:
        """The validator of the version downloaded so far; None when the download cannot resume."""
        if not self.size():
            return None
        try:
            known = json.loads(self._note.read_text(encoding="utf-8"))
            validator = known["validator"] if known["url"] == self.url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return validator if isinstance(validator, str) else None

    def begin(self, validator: str | None) -> None:
        """Delete the bytes and note the version that follows."""
        self.discard()
        atomic.write_json(self._note, {"url": self.url, "validator": validator})

    def discard(self) -> None:
        """Delete the bytes and the note."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Rename the complete file."""
        self.path.replace(target)
        atomic.fsync_path(target.parent)
        self._note.unlink(missing_ok=True)
