"""Open a raw file, or one member of an archive, for reading in place: nothing is extracted."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from grasp_bench.core.errors import DataError

ZIP, TAR = (".zip",), (".tar", ".tar.gz", ".tgz")
LARGEST_MEMBER = 1 << 34  # bytes; three times the largest that is read here, Yelp's reviews


def place(path: Path, member: str = "") -> str:
    """Return where lines come from, for errors: the file, and the member if the file is an archive."""
    return f"{path}: {member}" if is_archive(path) else str(path)


def is_archive(path: Path) -> bool:
    """True for names that end as those of zip and tar files do."""
    return path.name.lower().endswith(ZIP + TAR)


@contextmanager
def opened(path: Path, member: str = "", packing: str | None = None) -> Iterator[IO[bytes]]:
    """Open a file, unpacked if its name (or `packing`) says .gz; of an archive, open `member`.

    A member may lie in any folder of the archive. It yields at most the bytes that the archive declares for
    it, and at most 16 GiB. Raises DataError, naming archive and member, if the member is absent, damaged,
    encrypted, too large, or if a name leads out of the archive.
    """
    if not is_archive(path):
        with path.open("rb") as stream:
            packed = (packing or path.suffix) == ".gz"
            yield cast(IO[bytes], gzip.GzipFile(fileobj=stream)) if packed else stream
        return
    broken = zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, RuntimeError
    try:
        with _in_zip(path, member) if path.name.lower().endswith(ZIP) else _in_tar(path, member) as stream:
            yield stream
    except broken as error:
        raise DataError(
            f"{path}: {member} cannot be read ({error})", hint=f"delete {path.name} and fetch it again"
        ) from None


@contextmanager
def _in_zip(path: Path, member: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            _refuse_path_out(path, name)
        found = next((name for name in archive.namelist() if _is(name, member)), None)
        if found is None:
            raise _absent(path, member)
        _refuse_too_large(path, member, archive.getinfo(found).file_size)
        with archive.open(found) as stream:
            yield stream


@contextmanager
def _in_tar(path: Path, member: str) -> Iterator[IO[bytes]]:
    with tarfile.open(path) as archive:
        for each in archive:  # in the order of the file: nothing behind the member is unpacked
            _refuse_path_out(path, each.name)
            if each.isfile() and _is(each.name, member):
                _refuse_too_large(path, member, each.size)
                yield cast(IO[bytes], archive.extractfile(each))
                return
    raise _absent(path, member)


def _is(name: str, member: str) -> bool:
    return name == member or name.endswith("/" + member)


def _absent(path: Path, member: str) -> DataError:
    return DataError(f"{path}: holds no {member}", hint=f"is this {path.name} as it is published?")


def _refuse_path_out(path: Path, name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in name:
        raise DataError(
            f"{path}: holds '{name}', a path out of the archive", hint="this is not the published file"
        )


def _refuse_too_large(path: Path, member: str, size: int) -> None:
    if size > LARGEST_MEMBER:
        raise DataError(
            f"{path}: {member} unpacks to {size:,} bytes, more than {LARGEST_MEMBER:,} are not accepted",
            hint="this is not the published file",
        )
