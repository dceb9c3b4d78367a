"""Build the Amazon sets from reviews and product metadata of 2014 and 2018.

Sources of the rules: LLM-ESR (Liu et al., NeurIPS 2024) for Fashion, SASRec (Kang & McAuley, ICDM 2018)
for Beauty, S3-Rec (Zhou et al., CIKM 2020) for the 5-core.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import Report, silent
from grasp_bench.data.entities import PATH_JOIN
from grasp_bench.data.sources.raw_files import BuiltTables, interactions_table
from grasp_bench.data.sources.records import numbered_lines, record_of
from grasp_bench.data.sources.rules import Review, Rule, apply_rule

FASHION = Rule(min_user=3, min_item=2, core="iterated", rating_above=0.0)
BEAUTY = Rule(min_user=5, min_item=5, core="single_pass")
BEAUTY_5CORE = Rule(min_user=5, min_item=5, core="iterated")

COLUMNS = ("title", "brand", "price", "categories", "feature", "description")

# Where a line names its product. Text may look the same, so all matches of a line count.
_ASIN = re.compile(rb"""['"]asin['"]\s*:\s*u?['"]([^'"\\]+)['"]""")
# In the 2018 crawl some titles and prices are scripts and styles of the page.
_PAGE_CODE = re.compile(r"getTime\(\)|</?(?:script|style)\b|\.a-box|function\s*\(", re.IGNORECASE)
_PRICE = re.compile(r"\$?\d[\d,]*(?:\.\d+)?(?:\s*-\s*\$?\d[\d,]*(?:\.\d+)?)?")


def fashion(files: Mapping[str, Path], scratch: Path, report: Report) -> BuiltTables:
    """Build `amazon-fashion` from AMAZON_FASHION.json.gz and its metadata."""
    return _build(files, FASHION, None, scratch, report)


def beauty(files: Mapping[str, Path], scratch: Path, report: Report) -> BuiltTables:
    """Build `amazon-beauty` from reviews_Beauty.json.gz and its metadata."""
    return _build(files, BEAUTY, "Beauty", scratch, report)


def beauty_5core(files: Mapping[str, Path], scratch: Path, report: Report) -> BuiltTables:
    """Build `amazon-beauty-5core` from all reviews, or from the published 5-core, which stays as it is."""
    return _build(files, BEAUTY_5CORE, "Beauty", scratch, report)


def _build(
    files: Mapping[str, Path], rule: Rule, root: str | None, scratch: Path, report: Report
) -> BuiltTables:
    """Build a set from its reviews (the first of `files`) and its products (the second)."""
    reviews, products = files.values()
    kept = apply_rule(reviews_of(reviews, report), rule, scratch)
    if not kept.users:
        raise DataError(
            f"{reviews}: of {kept.read} reviews none is left by the rule of the published set",
            hint="is this the whole file?",
        )
    wanted = list(dict.fromkeys(kept.items))
    catalogue = catalogue_of(products, wanted, root, report)
    unrated = {"reviews_without_rating_above_0": kept.read - kept.rated}
    counts = {
        "reviews_read": kept.read,
        **({} if rule.rating_above is None else unrated),
        "items_without_metadata": len(wanted) - len(catalogue.texts),
        "products_listed_again": catalogue.repeats,
    }
    interactions = interactions_table(kept.users, kept.items, kept.ratings, kept.times)
    return BuiltTables(interactions, _items(wanted, catalogue), None, counts)


def _items(wanted: list[str], catalogue: Catalogue) -> pl.DataFrame:
    """Table of every item in the order of first appearance, without columns that are empty for all."""
    nothing = ("",) * len(COLUMNS)
    rows = [(item, *catalogue.texts.get(item, nothing)) for item in wanted]
    table = pl.DataFrame(rows, schema=dict.fromkeys(("item_id", *COLUMNS), pl.String), orient="row")
    empty = [name for name in COLUMNS if name != "title" and (table[name] == "").all()]
    return table.drop(empty)


def reviews_of(path: Path, report: Report = silent) -> Iterator[Review]:
    """Read every review of a file in its order.

    Raises DataError, with file, line and key, for ids that are empty or hold white space, ratings that are
    not numbers, and times that are not whole seconds.
    """
    for number, line in numbered_lines(path, report):
        record = record_of(line, path, number)
        try:
            yield Review(_id(record, "reviewerID"), _id(record, "asin"), _rating(record), _time(record))
        except ValueError as error:
            raise DataError(
                f"{path}:{number}: {error}", hint="is this a file of reviews? correct or remove the line"
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


@dataclass(frozen=True)
class Catalogue:
    """`texts[item]` has one text a column of `COLUMNS`, '' where unknown; `repeats` counts later rows."""

    texts: dict[str, tuple[str, ...]]
    repeats: int


def catalogue_of(
    path: Path, wanted: Collection[str], root: str | None = None, report: Report = silent
) -> Catalogue:
    """Read the texts of the wanted items; of an item that is listed twice, the first row counts.

    Categories are a path, "Makeup > Nails > Nail Polish": of several paths the first below `root`, without
    `root`. Raises DataError, with file and line, for rows of wanted items that cannot be read.
    """
    names = {item.encode() for item in wanted}
    texts: dict[str, tuple[str, ...]] = {}
    repeats = 0
    for record in _records_of_wanted(path, names, report):
        item = str(record.get("asin"))
        if item.encode(errors="replace") not in names:
            continue
        if item in texts:
            repeats += 1
        else:
            texts[item] = _texts(record, root)
    return Catalogue(texts, repeats)


def _records_of_wanted(path: Path, names: set[bytes], report: Report) -> Iterator[dict[str, Any]]:
    """Parse the lines that name a wanted item; most lines do not."""
    for number, line in numbered_lines(path, report):
        named = _ASIN.findall(line)
        if not named or not names.isdisjoint(named):
            yield record_of(line, path, number)


def _texts(record: dict[str, Any], root: str | None) -> tuple[str, ...]:
    price = _clean(record.get("price"))
    return (
        _clean(record.get("title")),
        _clean(record.get("brand")),
        price if _PRICE.fullmatch(price) else "",
        PATH_JOIN.join(_path(record.get("categories", record.get("category")), root)),
        _joined(record.get("feature"), ", "),
        _joined(record.get("description"), " "),
    )


def _path(value: Any, root: str | None) -> list[str]:
    """Choose the category path: 2014 has a list of paths, 2018 one path."""
    if not isinstance(value, list) or not value:
        return []
    paths = [path for path in value if isinstance(path, list)] or [value]
    chosen = next((path for path in paths if path and path[0] == root), paths[0])
    cleaned = [text for part in chosen if (text := _clean(part))]
    return cleaned[1:] if cleaned and cleaned[0] == root else cleaned


def _joined(value: Any, separator: str) -> str:
    parts = value if isinstance(value, list) else [value]
    return separator.join(text for part in parts if (text := _clean(part)))


def _clean(value: Any) -> str:
    """Plain text on one line, HTML entities resolved; '' for page code and for values that are not text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    # JSON can write half of a surrogate pair, which is not a character and cannot be stored.
    text = " ".join(html.unescape(str(value)).encode(errors="replace").decode().split())
    return "" if _PAGE_CODE.search(text) else text
