"""Amazon reviews, 2014 and 2018: who, what, how many stars, when — and nothing of what was written."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import Report, silent
from grasp_bench.data.raw.lines import numbered_lines
from grasp_bench.data.raw.records import record_of


class Review(NamedTuple):
    """One review; `rating` is NaN where there is none, `time` is in Unix seconds."""

    user: bytes
    item: bytes
    rating: float
    time: int


def reviews_of(path: Path, report: Report = silent) -> Iterator[Review]:
    """Every review of a file in its order.

    Raises DataError, with file, line and key, for ids that are empty or hold white space, ratings that
    are no numbers, and times that are no whole seconds.
    """
    for number, line in numbered_lines(path, report):
        record = record_of(line, path, number)
        try:
            yield Review(_id(record, "reviewerID"), _id(record, "asin"), _rating(record), _time(record))
        except ValueError as error:
            raise DataError(
                f"{path}:{number}: {error}", mend="is this a file of reviews? correct or remove the line"
            ) from None


def _id(record: dict[str, Any], key: str) -> bytes:
    value = record.get(key)
    if not isinstance(value, str) or value.split() != [value]:
        raise ValueError(f"{key} is {_said(record, key)}, not an id")
    return value.encode()


def _rating(record: dict[str, Any]) -> float:
    value = record.get("overall")
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"overall is {_said(record, 'overall')}, not a number")
    return float(value)


def _time(record: dict[str, Any]) -> int:
    value = record.get("unixReviewTime")
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ValueError(f"unixReviewTime is {_said(record, 'unixReviewTime')}, not whole seconds")
    if not -(2**62) < value < 2**62:
        raise ValueError("unixReviewTime is too large for a time")
    return int(value)


def _said(record: dict[str, Any], key: str) -> str:
    return repr(record[key])[:60] if key in record else "absent"
