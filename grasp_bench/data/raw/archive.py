"""Members of zip files, read in place: nothing is extracted, so no member can choose where it goes."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from grasp_bench.core.errors import DataError

LARGEST_MEMBER = 1 << 28  # bytes; ten times the largest that is read here


@contextmanager
def opened_member(path: Path, name: str) -> Iterator[IO[bytes]]:
    """Open one member, by its whole name, for reading.

    A member never yields more bytes than the archive declares for it, and more than 256 MiB are not
    accepted. Raises DataError, naming archive and member, for what is absent, damaged, encrypted, too
    large, or named like a path out of the archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_paths_out(path, archive.namelist())
            if name not in archive.namelist():
                raise DataError(f"{path}: holds no {name}", mend=f"is this {path.name} as it is published?")
            _refuse_too_large(path, archive.getinfo(name))
            with archive.open(name) as stream:
                yield stream
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(
            f"{path}: {name} cannot be read ({error})", mend=f"delete {path.name} and fetch it again"
        ) from None


def _refuse_paths_out(path: Path, names: list[str]) -> None:
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in name:
            raise DataError(
                f"{path}: holds '{name}', a path out of the archive", mend="this is not the published file"
            )


def _refuse_too_large(path: Path, member: zipfile.ZipInfo) -> None:
    if member.file_size > LARGEST_MEMBER:
        raise DataError(
            f"{path}: {member.filename} unpacks to {member.file_size:,} bytes, "
            f"more than {LARGEST_MEMBER:,} are not accepted",
            mend="this is not the published file",
        )
