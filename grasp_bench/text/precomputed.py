"""Read texts from CSV, Parquet or JSONL files and match them by id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.files import require_file
from grasp_bench.core.tables.files import read_file
from grasp_bench.core.words import did_you_mean, listed
from grasp_bench.text.precomputed_settings import PrecomputedText
from grasp_bench.text.providers import Account, Entities, Side, TextStream
from grasp_bench.text.template_renderer import TemplateRenderer
from grasp_bench.text.template_settings import TemplateText

NAMED = 3  # entities that an error names


class PrecomputedProvider:
    """Looks each entity up in the file; ids are compared as strings.

    Rows of unknown entities are counted and left out. `missing` handles entities without a row or with a
    blank one: an error, an empty text, or the side's default template.
    Raises MissingFileError, or DataError for unreadable files, absent columns and ids that come twice
    with different texts.
    """

    def __init__(self, source: PrecomputedText) -> None:
        self._source = source

    def write(self, entities: Entities, account: Account) -> TextStream:
        """Return one text per entity, in their order."""
        path = Path(self._source.path)
        table = read_table(path)
        column = _id_column(table, self._source.id_column, entities.side, path)
        _require(table, self._source.text_column, path, "text_column")
        rows = _by_id(table, column, self._source.text_column, path)
        known = pl.DataFrame({"id": entities.ids}, schema={"id": pl.String})
        texts = known.join(rows, on="id", how="left", maintain_order="left")["text"]
        missing = known["id"].filter(texts.is_null())
        if self._source.missing == "fail" and len(missing):
            raise _missing(path, missing, rows["id"].sort(), known.height, entities.side)
        unknown = rows.join(known, on="id", how="anti").height
        facts: dict[str, Any] = {"file": path.name, "unknown_ids": unknown, "missing": len(missing)}
        if self._source.missing != "template" or not len(missing):
            return TextStream(texts.fill_null(""), facts)
        renderer = TemplateRenderer(TemplateText(redact=self._source.redact), entities)
        facts |= {"told_by_template": len(missing), "template": renderer.prompt.name}
        return TextStream((renderer[k] if text is None else text for k, text in enumerate(texts)), facts)


def _missing(path: Path, missing: pl.Series, there: pl.Series, total: int, side: Side) -> DataError:
    named = ", ".join(repr(name) for name in missing.head(NAMED))
    more = ", …" if len(missing) > NAMED else ""
    if len(missing) == total and len(there):
        others = ", ".join(repr(name) for name in there.head(NAMED))
        return DataError(
            f"{path}: none of its ids ({others}, …) is that of one of the {total} {side} ({named}{more})",
            hint="name the right column in id_column, or write the ids as the dataset does",
        )
    return DataError(
        f"{path}: no text for {len(missing)} of {total} {side}: {named}{more}",
        hint="add them, or set missing: template (or empty)",
    )


def read_table(path: Path) -> pl.DataFrame:
    """Read a .csv, .parquet or .jsonl file, packed by gzip or not; in CSV "007" stays an id."""
    return read_file(require_file(path, hint="correct text.*.path"))


def _id_column(table: pl.DataFrame, asked: str | None, side: Side, path: Path) -> str:
    if asked is not None:
        _require(table, asked, path, "id_column")
        return asked
    usual = (f"{side.removesuffix('s')}_id", "id")
    for name in usual:
        if name in table.columns:
            return name
    raise DataError(f"{path}: has neither column {usual[0]!r} nor 'id'", hint="name it in id_column")


def _require(table: pl.DataFrame, column: str, path: Path, key: str) -> None:
    if column not in table.columns:
        raise DataError(
            f"{path}: has no column '{column}'{did_you_mean(column, table.columns)}",
            hint=f"set {key} to one of: {listed(table.columns)}",
        )


def _by_id(table: pl.DataFrame, id_column: str, text_column: str, path: Path) -> pl.DataFrame:
    """Return columns id and text without blank texts and repeated rows; raise DataError for conflicts."""
    try:
        rows = table.select(
            pl.col(id_column).cast(pl.String).alias("id"),
            pl.col(text_column).cast(pl.String).str.strip_chars().alias("text"),
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: ids and texts must be plain values: {error}") from None
    rows = rows.filter(pl.col("id").is_not_null() & (pl.col("text").fill_null("") != "")).unique()
    twice = rows.filter(pl.col("id").is_duplicated())["id"].unique().sort()
    if len(twice):
        raise DataError(
            f"{path}: {len(twice)} ids have several texts, the first is '{twice[0]}'",
            hint="keep one row per id",
        )
    return rows
