"""Amazon products, 2014 and 2018: what is said of the items of a dataset, as columns of text."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grasp_bench.core.progress import Report, silent
from grasp_bench.data.items import PATH_JOIN
from grasp_bench.data.raw.lines import numbered_lines
from grasp_bench.data.raw.records import record_of

COLUMNS = ("title", "brand", "price", "categories", "feature", "description")

# Where a line names its product. Text may look the same, so every place is looked at.
_ASIN = re.compile(rb"""['"]asin['"]\s*:\s*u?['"]([^'"\\]+)['"]""")
# The 2018 crawl took some pages' scripts and styles for titles and prices.
_PAGE_CODE = re.compile(r"getTime\(\)|</?(?:script|style)\b|\.a-box|function\s*\(", re.IGNORECASE)
_PRICE = re.compile(r"\$?\d[\d,]*(?:\.\d+)?(?:\s*-\s*\$?\d[\d,]*(?:\.\d+)?)?")


@dataclass(frozen=True)
class Catalogue:
    """`texts[item]` has one text a column of `COLUMNS`, '' where unknown; `repeats` counts later rows."""

    texts: dict[str, tuple[str, ...]]
    repeats: int


def catalogue_of(
    path: Path, wanted: Collection[str], root: str | None = None, report: Report = silent
) -> Catalogue:
    """Texts of the items wanted; of an item that is listed twice, the first row counts.

    Categories are a path, "Makeup > Nails > Nail Polish": of several paths the first below `root`, which
    is left out of it. Raises DataError, with file and line, for rows of wanted items that cannot be read.
    """
    names = {item.encode() for item in wanted}
    texts: dict[str, tuple[str, ...]] = {}
    repeats = 0
    for record in _records(path, names, report):
        item = str(record.get("asin"))
        if item.encode(errors="replace") not in names:
            continue
        if item in texts:
            repeats += 1
        else:
            texts[item] = _texts(record, root)
    return Catalogue(texts, repeats)


def _records(path: Path, names: set[bytes], report: Report) -> Iterator[dict[str, Any]]:
    """Records of lines that name a wanted item; the others, most of them, are not parsed."""
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
    """2014 has a list of paths, 2018 one path."""
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
    """Plain text on one line: HTML's entities resolved, page code and what is no text left out."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    # Half of a surrogate pair, which JSON can write, is no character and cannot be stored.
    text = " ".join(html.unescape(str(value)).encode(errors="replace").decode().split())
    return "" if _PAGE_CODE.search(text) else text
