"""Texts written and read a group of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from grasp_bench.stages.text import GROUP, read_texts, write_text_table


@pytest.mark.parametrize("count", [1, GROUP, GROUP + 1, 3 * GROUP - 1])
def test_everything_comes_back_in_order(tmp_path: Path, count: int) -> None:
    texts = [f"text {k} ü\n" if k % 7 else "" for k in range(count)]
    seen: list[int] = []
    table = write_text_table(tmp_path, pl.Series([f"i{k}" for k in range(count)]), iter(texts), seen.append)
    frame = pl.read_parquet(table)
    assert frame.schema == {"id": pl.String, "text": pl.String}
    assert frame["text"].to_list() == texts == list(read_texts(table))
    assert frame["id"][-1] == f"i{count - 1}"
    assert seen[-1] == count
    assert seen == sorted(seen)
    assert [path.name for path in tmp_path.iterdir()] == ["texts.parquet"]


def test_what_an_interrupted_attempt_left_is_overwritten(tmp_path: Path) -> None:
    def breaking() -> Iterator[str]:
        yield from (["x"] * (GROUP + 5))
        raise KeyboardInterrupt

    ids = pl.Series([str(k) for k in range(2 * GROUP)])
    with pytest.raises(KeyboardInterrupt):
        write_text_table(tmp_path, ids, breaking(), lambda done: None)
    assert not (tmp_path / "texts.parquet").exists()
    table = write_text_table(tmp_path, ids.head(2), ["a", "b"], lambda done: None)
    assert list(read_texts(table)) == ["a", "b"]
