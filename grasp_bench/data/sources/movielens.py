"""Build the MovieLens sets: every rating, each user's in the order of time."""

from __future__ import annotations

import csv
import io
import math
import zipfile
import zlib
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import Event, Report
from grasp_bench.core.tables.text_files import LONGEST
from grasp_bench.data.sources.raw_files import BuiltTables, interactions_table

NO_GENRES = "(no genres listed)"
SOME = 1 << 16  # rows between two reports

# The codes of users.dat, from the README of ml-1m; occupation 0 is "other or not specified".
GENDERS = {"F": "female", "M": "male"}
AGES = {
    "1": "under 18", "18": "18-24", "25": "25-34", "35": "35-44", "45": "45-49", "50": "50-55",
    "56": "56 or older",
}  # fmt: skip
OCCUPATIONS = (
    "", "academic or educator", "artist", "clerical or admin", "college or grad student", "customer service",
    "doctor or health care", "executive or managerial", "farmer", "homemaker", "K-12 student", "lawyer",
    "programmer", "retired", "sales or marketing", "scientist", "self-employed", "technician or engineer",
    "tradesman or craftsman", "unemployed", "writer",
)  # fmt: skip

Rows = Iterator[tuple[str, list[str]]]  # where a row is, for errors, and its fields

LARGEST_MEMBER = 1 << 28  # bytes; ten times the largest that is read here


def latest_small(files: Mapping[str, Path], scratch: Path, report: Report) -> BuiltTables:
    """Build `movielens-small` from ml-latest-small.zip: ratings.csv and movies.csv, UTF-8."""
    (path,) = files.values()
    ratings = _csv(path, "ml-latest-small/ratings.csv", ["userId", "movieId", "rating", "timestamp"])
    movies = _csv(path, "ml-latest-small/movies.csv", ["movieId", "title", "genres"])
    return BuiltTables(_interactions(ratings, report), _items(movies), None, {})


def one_million(files: Mapping[str, Path], scratch: Path, report: Report) -> BuiltTables:
    """Build `ml-1m` from ml-1m.zip: ratings.dat, movies.dat and users.dat, fields apart by ::, Latin-1."""
    (path,) = files.values()
    users = pl.DataFrame(
        [
            (user, GENDERS.get(gender, ""), AGES.get(age, ""), _occupation(code))
            for _, (user, gender, age, code, _) in _dat(path, "ml-1m/users.dat", 5)
        ],
        schema=dict.fromkeys(("user_id", "gender", "age", "occupation"), pl.String),
        orient="row",
    )
    interactions = _interactions(_dat(path, "ml-1m/ratings.dat", 4), report)
    return BuiltTables(interactions, _items(_dat(path, "ml-1m/movies.dat", 3)), users, {})


def _interactions(rows: Rows, report: Report) -> pl.DataFrame:
    users: list[str] = []
    items: list[str] = []
    ratings, times, places = array("d"), array("q"), array("q")
    numbers: dict[str, int] = {}
    for where, (user, item, rating, time) in rows:
        try:
            ratings.append(_finite(rating))
            times.append(int(time))
        except (ValueError, OverflowError) as error:
            raise DataError(f"{where}: {error}", hint="is this the file as it is published?") from None
        users.append(user)
        items.append(item)
        places.append(numbers.setdefault(user, len(numbers)))
        if len(users) % SOME == 0:
            report(Event("read ratings", len(users), 0, "ratings"))
    order = np.lexsort((np.array(times), np.array(places)))  # stable: equal times stay as in the file
    return interactions_table(users, items, np.array(ratings), np.array(times))[order]


def _items(rows: Rows) -> pl.DataFrame:
    """Table of all listed films, rated or not; genres apart by | as published."""
    listed = [(item, title, "" if genres == NO_GENRES else genres) for _, (item, title, genres) in rows]
    return pl.DataFrame(listed, schema=dict.fromkeys(("item_id", "title", "genres"), pl.String), orient="row")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"the rating is {text}")
    return value


def _occupation(code: str) -> str:
    return OCCUPATIONS[int(code)] if code.isdecimal() and int(code) < len(OCCUPATIONS) else ""


def _csv(path: Path, name: str, head: list[str]) -> Rows:
    with opened_member(path, name) as stream:
        csv.field_size_limit(LONGEST)
        # Decode line by line, so that an error has its line; strict, so that no open quote swallows rows.
        lines = (line.decode("utf-8-sig" if k == 0 else "utf-8") for k, line in enumerate(stream))
        reader = csv.reader(lines, strict=True)
        try:
            found = next(reader, [])
            if found != head:
                raise DataError(f"{path}: {name}:1: the header is {','.join(found)}, not {','.join(head)}")
            for row in reader:
                yield _checked(f"{path}: {name}:{reader.line_num}", row, len(head))
        except (csv.Error, UnicodeDecodeError) as error:
            # The reader has not counted a line that could not be decoded.
            line = reader.line_num + isinstance(error, UnicodeDecodeError)
            raise DataError(
                f"{path}: {name}:{line}: not UTF-8 CSV ({error})",
                hint=f"delete {path.name} and fetch it again",
            ) from None


def _dat(path: Path, name: str, width: int) -> Rows:
    with opened_member(path, name) as stream:
        text = io.TextIOWrapper(stream, encoding="latin-1")
        for number, line in enumerate(text, start=1):
            yield _checked(f"{path}: {name}:{number}", line.rstrip("\n").split("::"), width)


def _checked(where: str, row: list[str], width: int) -> tuple[str, list[str]]:
    if len(row) != width:
        raise DataError(f"{where}: {len(row)} fields where {width} are expected")
    return where, row


@contextmanager
def opened_member(path: Path, name: str) -> Iterator[IO[bytes]]:
    """Open one member of a zip file, by its whole name, for reading in place: nothing is extracted.

    A member yields at most the bytes that the archive declares for it, and at most 256 MiB. Raises DataError,
    naming archive and member, if the member is absent, damaged, encrypted, too large, or named like a path
    out of the archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_paths_out(path, archive.namelist())
            if name not in archive.namelist():
                raise DataError(f"{path}: holds no {name}", hint=f"is this {path.name} as it is published?")
            _refuse_too_large(path, archive.getinfo(name))
            with archive.open(name) as stream:
                yield stream
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(
            f"{path}: {name} cannot be read ({error})", hint=f"delete {path.name} and fetch it again"
        ) from None


def _refuse_paths_out(path: Path, names: list[str]) -> None:
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in name:
            raise DataError(
                f"{path}: holds '{name}', a path out of the archive", hint="this is not the published file"
            )


def _refuse_too_large(path: Path, member: zipfile.ZipInfo) -> None:
    if member.file_size > LARGEST_MEMBER:
        raise DataError(
            f"{path}: {member.filename} unpacks to {member.file_size:,} bytes, "
            f"more than {LARGEST_MEMBER:,} are not accepted",
            hint="this is not the published file",
        )
