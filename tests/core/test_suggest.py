from __future__ import annotations

import pytest

from grasp_bench.core import words
from grasp_bench.core.words import did_you_mean, nearest

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


def test_a_word_longer_than_any_name_is_compared_with_nothing() -> None:
    assert nearest("k" * 1_000_000, ["k" * 999_999, *KEYS]) is None


def test_many_options_are_not_all_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    monkeypatch.setattr(
        words.difflib,
        "get_close_matches",
        lambda word, options, **rest: compared.append(len(options)) or [],
    )
    assert nearest("zzz", (f"file{k}" for k in range(50_000))) is None
    assert compared == [words.MOST_OPTIONS]


def test_many_options_are_counted() -> None:
    assert words.listed(["a", "b"]) == "a, b"
    assert words.listed([f"{k}" for k in range(5_000)]).endswith("28, 29 and 4,970 more")
