"""Statistics of texts, worked by hand."""

from __future__ import annotations

import pytest

from grasp_bench.text.answers import text_statistics


def test_lengths_repeats_and_verdicts() -> None:
    found = text_statistics(
        ["red lamp", "red lamp", " ", "N/A", "a big blue lamp", "I'm sorry, but I cannot help."]
    )
    assert (found.count, found.empty, found.distinct, found.repeated) == (6, 1, 4, 2)
    assert found.commonest == ("red lamp", 2)
    assert found.verdicts == {"text": 3, "empty": 1, "na": 1, "refusal": 1}
    assert (found.words["min"], found.words["median"], found.words["max"]) == (1, 2, 6)
    assert found.characters["mean"] == pytest.approx((8 + 8 + 3 + 15 + 29) / 5)


def test_what_is_said_of_many() -> None:
    """Of each text's words `the` and `reader` are in all, `likes` in all but one."""
    found = text_statistics(["the reader likes owls", "the reader likes bees", "the reader hates"])
    assert found.said_of_many == pytest.approx((3 / 4 + 3 / 4 + 2 / 3) / 3)


def test_distinct_pairs() -> None:
    """Pairs: (red, lamp), (lamp, red), (red, lamp): two of three are different."""
    assert text_statistics(["red lamp red lamp"]).distinct_bigrams == pytest.approx(2 / 3)


def test_boilerplate_is_generic_and_names_are_not() -> None:
    told = [f"the item has the name {chr(97 + k // 26) * 3}{chr(97 + k % 26) * 3}" for k in range(200)]
    bare = [text.rpartition(" ")[2] for text in told]
    generic, plain = text_statistics(told), text_statistics(bare)
    assert generic.said_of_many == pytest.approx(4 / 5)  # the, item, has, name; not the name itself
    assert plain.said_of_many == 0.0


def test_samples_are_drawn_by_the_seed() -> None:
    texts = [f"{'abcdefghij'[k % 10] * 3} {'klmnopqrst'[k // 10 % 10] * 3}" for k in range(5000)]
    first, again = (text_statistics(texts, seed=3).distinct_bigrams for _ in range(2))
    assert first == again == pytest.approx(100 / 1000)


def test_nothing_is_said_of_nothing() -> None:
    for texts in ([], ["", " "]):
        found = text_statistics(texts)
        assert (found.said_of_many, found.distinct_bigrams, found.commonest) == (None, None, None)
        assert found.characters == {}
