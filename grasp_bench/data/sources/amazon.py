"""Recipes of the Amazon sets of 2014, 2018 and 2023.

Sources of the rules: LLM-ESR (Liu et al., NeurIPS 2024) for Fashion, SASRec (Kang & McAuley, ICDM 2018)
for Beauty, S3-Rec (Zhou et al., CIKM 2020) for the 5-core of Beauty; the publishers for all others.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from grasp_bench.core.progress import Report
from grasp_bench.data.entities import PATH_JOIN
from grasp_bench.data.sources.events import DIGITS, Events
from grasp_bench.data.sources.formats import Delimited, Names, ObjectLines, Record, Rows
from grasp_bench.data.sources.listings import Listing, Text, clean
from grasp_bench.data.sources.recipe import Recipe
from grasp_bench.data.sources.rules import EVERY, Rule

# In the 2018 crawl some titles and prices are scripts and styles of the page.
_PAGE_CODE = re.compile(r"getTime\(\)|</?(?:script|style)\b|\.a-box|function\s*\(", re.IGNORECASE)
_PRICE = re.compile(r"\$?\d[\d,]*(?:\.\d+)?(?:\s*-\s*\$?\d[\d,]*(?:\.\d+)?)?")


def _prose(record: Record, key: str, separator: str = ", ") -> str:
    value = record.get(key)
    parts = value if isinstance(value, list) else [value]
    return separator.join(text for part in parts if (text := _clean(part)))


def _clean(value: Any) -> str:
    text = clean(value)
    return "" if _PAGE_CODE.search(text) else text


def _line(record: Record, key: str) -> str:
    return _clean(record.get(key))


def _price(record: Record) -> str:
    price = clean(record.get("price"))
    return price if _PRICE.fullmatch(price) else ""


def _path(record: Record, key: str, root: str | None = None) -> str:
    """Join the category path: 2014 has a list of paths, later years one path.

    Of several paths the first below `root` counts, without `root`.
    """
    value = record.get(key)
    if not isinstance(value, list) or not value:
        return ""
    paths = [path for path in value if isinstance(path, list)] or [value]
    chosen = next((path for path in paths if path and path[0] == root), paths[0])
    cleaned = [text for part in chosen if (text := _clean(part))]
    return PATH_JOIN.join(cleaned[1:] if cleaned and cleaned[0] == root else cleaned)


def columns(brand: str, categories: Text, feature: str) -> dict[str, Text]:
    """Return the columns of products, by the keys that differ between the years."""
    return {
        "title": partial(_line, key="title"), "brand": partial(_line, key=brand), "price": _price,
        "categories": categories, "feature": partial(_prose, key=feature),
        "description": partial(_prose, key="description", separator=" "),
    }  # fmt: skip


REVIEWS = Events("reviewerID", "asin", "unixReviewTime", "overall")
PRODUCTS_2014 = Listing(
    "asin",
    columns("brand", partial(_path, key="categories", root="Beauty"), "feature"),
    ObjectLines(),
    file=1,
)
PRODUCTS_2018 = Listing("asin", columns("brand", partial(_path, key="category"), "feature"), ObjectLines(), 1)
PRODUCTS_2023 = Listing(
    "parent_asin", columns("store", partial(_path, key="categories"), "features"), ObjectLines(), 1
)

FASHION = Rule(min_user=3, min_item=2, core="iterated", rating_above=0.0)
BEAUTY = Rule(min_user=5, min_item=5, core="single_pass")
BEAUTY_5CORE = Rule(min_user=5, min_item=5, core="iterated")
FIRST = Rule(min_user=0, min_item=0, core="iterated", repeats="earliest")
FIRST_5CORE = Rule(min_user=5, min_item=5, core="iterated", repeats="earliest")

fashion = Recipe((ObjectLines(),), REVIEWS, PRODUCTS_2018, rule=FASHION)
beauty = Recipe((ObjectLines(),), REVIEWS, PRODUCTS_2014, rule=BEAUTY)
beauty_5core = Recipe((ObjectLines(),), REVIEWS, PRODUCTS_2014, rule=BEAUTY_5CORE)
every_2018 = Recipe((ObjectLines(),), REVIEWS, PRODUCTS_2018, rule=EVERY)


@dataclass(frozen=True)
class _Reviews2023:
    """The reviews with their texts (.jsonl), or the table of ratings (.csv): both have the same keys."""

    member: str = ""

    def rows(self, path: Path, report: Report, counts: Counter[str], wanted: Names | None = None) -> Rows:
        table = Delimited(header=("user_id", "parent_asin", "rating", "timestamp"))
        form = ObjectLines() if ".jsonl" in path.suffixes else table
        return form.rows(path, report, counts)


RATINGS_2023 = Events("user_id", "parent_asin", "timestamp", "rating", clock=DIGITS)
all_2023 = Recipe((_Reviews2023(),), RATINGS_2023, PRODUCTS_2023, rule=FIRST)
core_2023 = Recipe((_Reviews2023(),), RATINGS_2023, PRODUCTS_2023, rule=FIRST_5CORE)
