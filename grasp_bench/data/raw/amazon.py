"""Amazon sets: reviews by the published rules, and what the shop said of the products that are left.

Sources of the rules: LLM-ESR (Liu et al., NeurIPS 2024) for Fashion, SASRec (Kang & McAuley, ICDM 2018)
for Beauty, S3-Rec (Zhou et al., CIKM 2020) for the 5-core.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import Report
from grasp_bench.data.raw.made import Made, interactions_table
from grasp_bench.data.raw.products import COLUMNS, Catalogue, catalogue_of
from grasp_bench.data.raw.reviews import reviews_of
from grasp_bench.data.raw.rules import Kept, Rule, keep

FASHION = Rule(min_user=3, min_item=2, core="iterated", rating_above=0.0)
BEAUTY = Rule(min_user=5, min_item=5, core="single_pass")
BEAUTY_5CORE = Rule(min_user=5, min_item=5, core="iterated")


def fashion(files: Mapping[str, Path], scratch: Path, report: Report) -> Made:
    """`amazon-fashion` from AMAZON_FASHION.json.gz and its metadata."""
    return _make(files, FASHION, None, scratch, report)


def beauty(files: Mapping[str, Path], scratch: Path, report: Report) -> Made:
    """`amazon-beauty` from reviews_Beauty.json.gz and its metadata."""
    return _make(files, BEAUTY, "Beauty", scratch, report)


def beauty_5core(files: Mapping[str, Path], scratch: Path, report: Report) -> Made:
    """`amazon-beauty-5core` from the published 5-core, which the rule leaves alone, or from all reviews."""
    return _make(files, BEAUTY_5CORE, "Beauty", scratch, report)


def _make(files: Mapping[str, Path], rule: Rule, root: str | None, scratch: Path, report: Report) -> Made:
    """`files` has the reviews first and the products second."""
    reviews, products = files.values()
    kept = keep(reviews_of(reviews, report), rule, scratch)
    if not kept.users:
        raise DataError(
            f"{reviews}: of {kept.read} reviews none is left by the rule of the published set",
            mend="is this the whole file?",
        )
    wanted = list(dict.fromkeys(kept.items))
    catalogue = catalogue_of(products, wanted, root, report)
    counts = {
        "reviews_read": kept.read,
        "reviews_without_rating_above_0": kept.read - kept.rated,
        "items_without_metadata": len(wanted) - len(catalogue.texts),
        "products_listed_again": catalogue.repeats,
    }
    if rule.rating_above is None:
        del counts["reviews_without_rating_above_0"]
    return Made(_interactions(kept), _items(wanted, catalogue), None, counts)


def _interactions(kept: Kept) -> pl.DataFrame:
    return interactions_table(kept.users, kept.items, kept.ratings, kept.times)


def _items(wanted: list[str], catalogue: Catalogue) -> pl.DataFrame:
    """Every item, in the order of its first appearance; columns that say nothing of any are left out."""
    nothing = ("",) * len(COLUMNS)
    rows = [(item, *catalogue.texts.get(item, nothing)) for item in wanted]
    table = pl.DataFrame(rows, schema=dict.fromkeys(("item_id", *COLUMNS), pl.String), orient="row")
    silent = [name for name in COLUMNS if name != "title" and (table[name] == "").all()]
    return table.drop(silent)
