from __future__ import annotations

import pytest

from grasp_bench.core.suggest import did_you_mean, nearest

KEYS = ["num_neighbours", "ef_search", "lr", "SASRec"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("num_neigbours", "num_neighbours"),
        ("rl", "lr"),
        ("EF-Search", "ef_search"),
        ("sasrek", "SASRec"),
        ("zzz", None),
        ("", None),
    ],
)
def test_nearest(word: str, expected: str | None) -> None:
    assert nearest(word, KEYS) == expected


def test_ready_to_append() -> None:
    assert did_you_mean("rl", KEYS) == "; did you mean 'lr'?"
    assert did_you_mean("zzz", KEYS) == ""
    assert did_you_mean("zzz", []) == ""
