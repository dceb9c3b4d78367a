"""Packing by tokens, duplicates encoded once, shards that outlive an interruption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.core.errors import DataError
from grasp_bench.encoders.batching import batch_by_tokens, distinct, encode_in_shards


class Counting:
    """A vector of a text's length and first letter; remembers what it was asked, fails when told to."""

    dim = 2
    unit_norm = False

    def __init__(self, fail_at: str | None = None, meaning: int = 1) -> None:
        self.facts = {"meaning": meaning}
        self.asked: list[str] = []
        self._fail_at = fail_at

    def encode(self, texts: Sequence[str], progress=lambda done: None) -> np.ndarray:
        if self._fail_at in texts:
            raise KeyboardInterrupt
        self.asked += texts
        progress(len(texts))
        return np.array([[len(text), ord(text[0])] for text in texts], dtype=np.float32)


TEXTS = ["ccc", "a", "bb", "a", "dddd", "bb", "a"]


@given(st.lists(st.integers(0, 600), max_size=80), st.integers(64, 2048))
def test_every_row_in_one_batch_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = batch_by_tokens(lengths, budget)
    rows = [int(row) for batch in batches for row in batch]
    assert sorted(rows) == list(range(len(lengths)))
    assert [lengths[row] for row in rows] == sorted(lengths, reverse=True)
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= budget


@given(st.lists(st.text(max_size=5), max_size=30))
def test_distinct_texts_rebuild_the_list(texts: list[str]) -> None:
    ordered, place = distinct(texts)
    assert [ordered[k] for k in place] == texts
    assert ordered == distinct(sorted(texts))[0]
    assert len(set(ordered)) == len(ordered)


def test_duplicates_are_encoded_once_and_progress_counts_distinct_texts(tmp_path: Path) -> None:
    encoder, heard = Counting(), []
    vectors = encode_in_shards(encoder, TEXTS, tmp_path, heard.append, shard_texts=2)
    assert vectors.tolist() == [[len(text), ord(text[0])] for text in TEXTS]
    assert sorted(encoder.asked) == ["a", "bb", "ccc", "dddd"]
    assert heard == sorted(heard)
    assert heard[-1] == 4


def test_finished_shards_are_not_encoded_again(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        encode_in_shards(Counting(fail_at="a"), TEXTS, tmp_path, print, shard_texts=2)
    second = Counting()
    vectors = encode_in_shards(second, TEXTS, tmp_path, print, shard_texts=2)
    assert sorted(second.asked) == ["a", "bb"]
    assert vectors.tolist() == encode_in_shards(Counting(), TEXTS, tmp_path / "new", print).tolist()


def test_shards_of_another_encoder_or_damaged_ones_are_not_used(tmp_path: Path) -> None:
    encode_in_shards(Counting(), TEXTS, tmp_path, print, shard_texts=2)
    other = Counting(meaning=2)
    encode_in_shards(other, TEXTS, tmp_path, print, shard_texts=2)
    assert len(other.asked) == 4
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-3])
    again = Counting()
    encode_in_shards(again, TEXTS, tmp_path, print, shard_texts=2)
    assert len(again.asked) == 4


def test_wrong_width_from_an_encoder_is_refused(tmp_path: Path) -> None:
    encoder = Counting()
    encoder.dim = 3
    with pytest.raises(DataError, match="4 texts of 3 dimensions"):
        encode_in_shards(encoder, TEXTS, tmp_path, print)
