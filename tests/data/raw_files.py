"""Raw files as their publishers write them, small: Amazon 2018 and 2014, MovieLens."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from grasp_bench.core.progress import silent
from grasp_bench.data.sources.amazon import REVIEWS
from grasp_bench.data.sources.formats import ObjectLines
from grasp_bench.data.sources.rules import Review as RuleReview

Review = tuple[str, str, float, int]  # user, item, rating, time


def reviews_of(path: Path) -> Iterator[RuleReview]:
    """Read the reviews of an Amazon file of 2014 or 2018."""
    return REVIEWS.reviews(ObjectLines(), path, silent, Counter())


def review_2018(review: Review) -> dict[str, Any]:
    user, item, rating, time = review
    return {
        "overall": rating, "verified": True, "reviewTime": "10 20, 2014", "reviewerID": user, "asin": item,
        "style": {"Size:": " 9"}, "reviewerName": "D. \u201cPoe\u201d",
        "reviewText": "He said \"asin\": 'x'\n.",
        "summary": "Ok", "unixReviewTime": time,
    }  # fmt: skip


def review_2014(review: Review) -> dict[str, Any]:
    user, item, rating, time = review
    return {
        "reviewerID": user, "asin": item, "reviewerName": "Annie", "helpful": [0, 2],
        "reviewText": "It's \u00e9",
        "overall": rating, "summary": "So so", "unixReviewTime": time, "reviewTime": "12 1, 2013",
    }  # fmt: skip


def write_json(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    """One JSON object a line, gzipped."""
    return _write(path, (json.dumps(record) for record in records))


def write_literals(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    """One Python literal a line, gzipped, as the 2014 metadata are."""
    return _write(path, (repr(dict(record)) for record in records))


def write_zip(path: Path, members: Mapping[str, bytes]) -> Path:
    """A zip file of members by name."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def latest_small(ratings: Sequence[str], movies: Sequence[str]) -> dict[str, bytes]:
    """Members of ml-latest-small.zip from rows of its two files."""
    heads = {"ratings": "userId,movieId,rating,timestamp", "movies": "movieId,title,genres"}
    rows = {"ratings": ratings, "movies": movies}
    return {
        f"ml-latest-small/{name}.csv": "".join(f"{row}\r\n" for row in (heads[name], *rows[name])).encode()
        for name in heads
    } | {"ml-latest-small/README.txt": b"Summary"}


def _write(path: Path, lines: Iterable[str]) -> Path:
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as stream:
        stream.writelines(f"{line}\n" for line in lines)
    return path
