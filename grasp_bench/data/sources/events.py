"""Take the user, item, rating and time of interactions from the records of raw files."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import Report
from grasp_bench.data.sources.archives import place
from grasp_bench.data.sources.formats import Format, Record
from grasp_bench.data.sources.rules import Review

READ = "interactions_read"  # counted before any is left out


class Clock(NamedTuple):
    """How times are written: `read` converts one to a whole number, `words` name the notation in errors."""

    read: Callable[[Any], int]
    words: str


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ValueError
    return int(value)


def _iso(value: Any) -> int:
    found = datetime.fromisoformat(value)
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _english(value: Any) -> int:
    """Read a date whatever the language of the machine, which strptime would ask for."""
    _, month, day, clock, zone, year = value.split()
    hour, minute, second = map(int, clock.split(":"))
    sign = {"+": 1, "-": -1}[zone[0]]
    offset = timezone(sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5])))
    date = datetime(int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=offset)
    return int(date.timestamp())


SECONDS = Clock(_number, "whole seconds")
DIGITS = Clock(int, "a whole number")  # of text or of JSON, in the unit of the file
ISO = Clock(_iso, "an ISO date or time")
ENGLISH = Clock(_english, "a date such as 'Fri Dec 01 10:20:30 -0800 2017'")


def word(value: Any) -> str:
    """Return an id as it is; ValueError if it is no text, is empty or has white space."""
    if not isinstance(value, str) or value.split() != [value]:
        raise ValueError
    return value


_UNSAFE = re.compile(r"[\s%\x00-\x1f]")


def any_name(value: Any) -> str:
    """Return a name as one word, with white space, control characters and % as %XX: names stay distinct."""
    if not isinstance(value, str):
        raise ValueError
    return word(_UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", value))


@dataclass(frozen=True)
class Events:
    """Which keys of a record hold an interaction.

    `user_as` makes an id of a user's key. `only`: key that is 1 or true for interactions that count.
    `may_lack`: keys that are empty or absent in some published records. Other records are left out and
    counted as `interactions_without_<key>`.
    """

    user: str
    item: str
    time: str
    rating: str | None = None
    clock: Clock = SECONDS
    user_as: Callable[[Any], str] = word
    only: str | None = None
    may_lack: tuple[str, ...] = ()

    def reviews(self, form: Format, path: Path, report: Report, counts: Counter[str]) -> Iterator[Review]:
        """Read the interactions of a file in its order.

        Raises DataError, with file, line and key, for values that cannot be used.
        """
        for number, record in form.rows(path, report, counts):
            counts[READ] += 1
            try:
                lacking = self._lacking(record)
                if lacking is None:
                    yield Review(
                        _id(record, self.user, self.user_as),
                        _id(record, self.item, word),
                        math.nan if self.rating is None else _rating(record, self.rating),
                        _time(record, self.time, self.clock),
                    )
                else:
                    counts[f"interactions_without_{lacking}"] += 1
            except ValueError as error:
                raise DataError(
                    f"{place(path, form.member)}:{number}: {error}",
                    hint="is this the published file? correct or remove the line",
                ) from None

    def _lacking(self, record: Record) -> str | None:
        """Return the key for which an interaction does not count."""
        for key in self.may_lack:
            if record.get(key) in (None, ""):
                return key
        if self.only is None or _is_true(record, self.only):
            return None
        return self.only


def _is_true(record: Record, key: str) -> bool:
    value = record.get(key)
    if value not in (True, False, "1", "0"):
        raise ValueError(f"{key} is {_said(record, key)}, not 1 or 0")
    return value in (True, "1")


def _id(record: Record, key: str, name: Callable[[Any], str]) -> bytes:
    try:
        return name(record.get(key)).encode()
    except UnicodeEncodeError:
        raise
    except ValueError:
        raise ValueError(f"{key} is {_said(record, key)}, not an id") from None


def _rating(record: Record, key: str) -> float:
    value = record.get(key)
    if value is None:
        return math.nan
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{key} is {_said(record, key)}, not a number")
    return found


def _time(record: Record, key: str, clock: Clock) -> int:
    try:
        found = clock.read(record.get(key))
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError):
        raise ValueError(f"{key} is {_said(record, key)}, not {clock.words}") from None
    if not -(2**62) < found < 2**62:
        raise ValueError(f"{key} is too large for a time")
    return found


def _said(record: Record, key: str) -> str:
    return repr(record[key])[:60] if key in record else "absent"
