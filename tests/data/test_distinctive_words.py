"""Word tables against sets of words made text by text."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.core.words import words_of
from grasp_bench.data.audits.distinctive_words import tabulate, tabulate_known

texts = st.lists(st.text(alphabet="abc é1_", max_size=20), max_size=8)


def plain(text: str) -> set[str]:
    """Another reading of the rule: maximal runs of letters, three at least."""
    return {word for word in re.split(r"[^abcé]+", text) if len(word) >= 3}


def test_words_are_runs_of_letters_of_any_script() -> None:
    text = "The BODY: cafe\u0301, ﬁne_thing 4ever ДВА 二百五十"
    assert words_of(text) == ["the", "body", "café", "fine", "thing", "ever", "два", "二百五十"]


@given(texts)
def test_tables_hold_the_words_of_each_text(corpus: list[str]) -> None:
    table = tabulate(corpus)
    names = list(table.vocabulary)
    position, word = table.of(np.arange(len(corpus)))
    found: list[set[str]] = [set() for _ in corpus]
    for place, number in zip(position.tolist(), word.tolist(), strict=True):
        found[place].add(names[number])
    assert found == [plain(text) for text in corpus]
    assert table.frequency.tolist() == [sum(name in plain(text) for text in corpus) for name in names]


@given(texts, texts)
def test_membership_of_known_words(corpus: list[str], others: list[str]) -> None:
    table = tabulate(corpus)
    second = tabulate_known(others, table.vocabulary)
    for row, text in enumerate(others):
        for name, number in table.vocabulary.items():
            assert bool(second.has(np.array([row]), np.array([number]))[0]) == (name in plain(text))
