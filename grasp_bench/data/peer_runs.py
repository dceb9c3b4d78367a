"""Read and check runs of other libraries: user, item and score per line, streamed from CSV or TREC files.

TREC lines are `user_id Q0 item_id rank score tag`, separated by blanks, with ids as `core.trec` writes them.
Ranks and the order of lines are ignored: scores decide, as for trec_eval, and equal scores are ties. Files
may be packed with gzip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from grasp_bench.core import ranks
from grasp_bench.core.errors import DataError
from grasp_bench.core.tables.csv_files import LINE, csv_fault, scan_csv
from grasp_bench.core.tables.text_files import most_streamed, reading, survey
from grasp_bench.core.words import listed

CSV_COLUMNS = ("user_id", "item_id", "score")
TREC_LINE = r"^\s*(?<user_id>\S+)\s+\S+\s+(?<item_id>\S+)\s+\S+\s+(?<score>\S+)\s+\S+\s*$"
UNREADABLE = (pl.exceptions.PolarsError, OSError)  # OSError: a packed file that ends too early
BYTES_PER_ROW = 200  # of a block: its columns, and the search for duplicates and joins


@dataclass(frozen=True)
class PeerRun:
    """A run in the numbers of a split: `scores` is a Parquet file of line, user, item (i32), score (f64)."""

    path: Path
    scores: Path
    user_ids: Sequence[str]
    item_ids: Sequence[str]
    rows: int

    def blocks(self, memory_mb: int) -> Iterator[pl.DataFrame]:
        """Yield all rows in blocks of whole users that fit into the memory; users ascend.

        Raises DataError for a pair that occurs twice.
        """
        scan = pl.scan_parquet(self.scores, glob=False)
        counts = scan.group_by("user").len().sort("user").collect(engine="streaming")
        size = max(1, memory_mb * 2**20 // BYTES_PER_ROW)
        blocks = counts.with_columns(block=pl.col("len").cum_sum() // size)
        for _, users in blocks.group_by("block", maintain_order=True):
            first, last = users["user"][0], users["user"][-1]
            block = scan.filter(pl.col("user").is_between(first, last)).collect()
            self._refuse_doubles(block)
            yield block

    def _refuse_doubles(self, block: pl.DataFrame) -> None:
        keys = block.select("line", pair=pl.col("user").cast(pl.Int64) * len(self.item_ids) + pl.col("item"))
        double = keys.filter(pl.col("pair").is_duplicated())
        if double.is_empty():
            return
        pair = int(double.sort("line")["pair"][0])
        lines = double.filter(pl.col("pair") == pair)["line"].sort()
        user, item = divmod(pair, len(self.item_ids))
        raise DataError(
            f"{self.path}:{lines[1]}: user '{self.user_ids[user]}' and item '{self.item_ids[item]}' "
            f"stand on line {lines[0]} too",
            hint="keep one score for each pair",
        )


def read_peer_run(
    path: Path, read_as: str, user_ids: Sequence[str], item_ids: Sequence[str], scratch: Path
) -> PeerRun:
    """Read a run into `scratch` (a Parquet file), with ids as numbers of the split.

    Raises DataError for a file that is empty or lacks a column, and for the first line with an unknown user
    or item or a score that is not finite.
    """
    if not path.is_file():
        raise DataError(f"{path}: is no file", hint=HINTS[read_as])
    with reading(path):
        lines = LINES[read_as](path)
    score = pl.col("score").str.strip_chars().cast(pl.Float64, strict=False)
    numbered = (
        lines.join(_numbers("user", user_ids, read_as), on="user_id", how="left")
        .join(_numbers("item", item_ids, read_as), on="item_id", how="left")
        .select("line", "user", "item", score=score)
    )
    try:
        numbered.sink_parquet(scratch)
    except UNREADABLE as error:
        raise (csv_fault(path) if read_as == "csv" else _trec_fault(path, error)) from None
    rows = _check(path, pl.scan_parquet(scratch, glob=False), lines)
    return PeerRun(path, scratch, user_ids, item_ids, rows)


def _csv_lines(path: Path) -> pl.LazyFrame:
    lines = scan_csv(path)
    columns = [name for name in lines.collect_schema().names() if name != LINE]
    for name in CSV_COLUMNS:
        if name not in columns:
            raise DataError(
                f"{path}:1: column '{name}' is missing; there are: {listed(columns)}",
                hint=HINTS["csv"],
            )
    blank = pl.all_horizontal(pl.col(columns).is_null())
    return lines.filter(~blank).select(pl.col(LINE).alias("line"), *CSV_COLUMNS)


def _trec_lines(path: Path) -> pl.LazyFrame:
    survey(path, most_streamed(path)).refuse_lone_cr(path)
    lines = pl.scan_lines(path, name="text", row_index_name="line", row_index_offset=1, glob=False)
    fields = lines.filter(pl.col("text").str.contains(r"\S")).with_columns(
        pl.col("text").str.extract_groups(TREC_LINE)
    )
    return fields.unnest("text")


def _trec_fault(path: Path, error: Exception) -> DataError:
    """Keep the first line of Polars' message: the rest names settings that a user does not have."""
    return DataError(
        f"{path}: cannot be read as trec ({str(error).partition(chr(10))[0]})", hint=HINTS["trec"]
    )


LINES: dict[str, Callable[[Path], pl.LazyFrame]] = {"csv": _csv_lines, "trec": _trec_lines}
HINTS = {
    "csv": f"write a header and one line a pair: {','.join(CSV_COLUMNS)}",
    "trec": "write one line a pair: user_id Q0 item_id rank score tag",
}


def _numbers(name: str, ids: Sequence[str], read_as: str) -> pl.LazyFrame:
    """Number the ids as the file spells them: `core.trec` quotes ids, since TREC's fields hold no blank."""
    spelt = [ranks.quoted(each) for each in ids] if read_as == "trec" else list(ids)
    schema = {f"{name}_id": pl.String, name: pl.Int32}
    return pl.LazyFrame({f"{name}_id": spelt, name: range(len(ids))}, schema=schema)


def _check(path: Path, scores: pl.LazyFrame, lines: pl.LazyFrame) -> int:
    """Count the rows; DataError for the first line that cannot be used."""
    wrong = {
        "user": pl.col("user").is_null(),
        "item": pl.col("item").is_null(),
        "score": pl.col("score").is_null() | ~pl.col("score").is_finite(),
    }
    found = scores.select(
        pl.len().alias("rows"),
        *(pl.col("line").filter(bad).min().alias(f"first_{name}") for name, bad in wrong.items()),
        *(bad.sum().alias(f"count_{name}") for name, bad in wrong.items()),
    ).collect(engine="streaming")
    facts = found.row(0, named=True)
    if not facts["rows"]:
        raise DataError(f"{path}: holds no score", hint="write the scores of the run into it")
    firsts = {name: facts[f"first_{name}"] for name in wrong if facts[f"first_{name}"] is not None}
    if firsts:
        name = min(firsts, key=lambda key: firsts[key])
        line = firsts[name]
        given = lines.filter(pl.col("line") == line).head(1).collect().row(0, named=True)
        raise _unusable(path, line, name, given, facts[f"count_{name}"])
    return int(facts["rows"])


def _unusable(path: Path, line: int, name: str, given: dict[str, str | None], count: int) -> DataError:
    if all(given[column] is None for column in CSV_COLUMNS):
        return DataError(f"{path}:{line}: not six fields ({_so_many(count)})", hint=HINTS["trec"])
    if name == "score":
        return DataError(
            f"{path}:{line}: the score '{given['score'] or ''}' of item '{given['item_id']}' for user "
            f"'{given['user_id']}' is no finite number ({_so_many(count)})",
            hint="leave a pair out rather than give it no score; those left out rank last",
        )
    return DataError(
        f"{path}:{line}: {name} '{given[f'{name}_id'] or ''}' is not in the dataset ({_so_many(count)})",
        hint="score users and items of the split, by the ids of the interactions file",
    )


def _so_many(count: int) -> str:
    return "the only line so" if count == 1 else f"{count:,} lines so"
