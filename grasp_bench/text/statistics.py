"""Describe a set of texts: lengths, repeats, refusals, and how generic they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from grasp_bench.core.words import words_of
from grasp_bench.text.answers import classify_answer

QUANTILES = {"min": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "max": 1.0}
SAID_OF_MANY = 0.1  # a word in at least this share of texts is generic
BIGRAM_SAMPLE = 1000  # texts; distinct-2 falls with the size of the sample, so the size is fixed


@dataclass(frozen=True)
class TextStatistics:
    """Counts of one side's texts; lengths and shares are over the `count - empty` that are not blank.

    `repeated` counts texts that another entity has too, `commonest` is the most frequent one. `verdicts`
    counts the classes that the texts would have as answers (`text/answers.py`).

    Two measures of how generic they are, both in [0, 1]:
    `said_of_many`: the mean share of a text's distinct words that at least a tenth of all texts have. Such
    words are without specificity in the sense of Spärck Jones ("A statistical interpretation of term
    specificity", J. Documentation 28, 1972); boilerplate of a template counts, for it is encoded too.
    `distinct_bigrams`: distinct-2 of Li et al. ("A diversity-promoting objective function", NAACL 2016),
    different pairs of neighbouring words over all such pairs, in a sample of 1,000 texts.
    """

    count: int
    empty: int
    distinct: int
    repeated: int
    commonest: tuple[str, int] | None
    verdicts: dict[str, int]
    characters: dict[str, float]
    words: dict[str, float]
    said_of_many: float | None
    distinct_bigrams: float | None


def text_statistics(texts: Sequence[str], seed: int = 0) -> TextStatistics:
    """Describe texts; a value is None when no text has it."""
    said = [text for text in texts if text.strip()]
    times = Counter(said)
    commonest = times.most_common(1)[0] if times else None
    words = [words_of(text) for text in said]
    return TextStatistics(
        count=len(texts),
        empty=len(texts) - len(said),
        distinct=len(times),
        repeated=sum(count for count in times.values() if count > 1),
        commonest=commonest if commonest is not None and commonest[1] > 1 else None,
        verdicts=dict(Counter(classify_answer(text, "stop").verdict for text in texts)),
        characters=_spread([len(text) for text in said]),
        words=_spread([len(text.split()) for text in said]),
        said_of_many=_said_of_many(words),
        distinct_bigrams=_distinct_bigrams(words, seed),
    )


def _spread(lengths: list[int]) -> dict[str, float]:
    if not lengths:
        return {}
    values = np.quantile(lengths, list(QUANTILES.values()))
    return {
        **{name: float(v) for name, v in zip(QUANTILES, values, strict=True)},
        "mean": float(np.mean(lengths)),
    }


def _said_of_many(words: list[list[str]]) -> float | None:
    bags = [set(each) for each in words if each]
    frequency = Counter(word for bag in bags for word in bag)
    # With fewer than 20 texts, a word is common when at least two texts have it.
    many = {word for word, count in frequency.items() if count >= max(SAID_OF_MANY * len(bags), 2)}
    return float(np.mean([len(bag & many) / len(bag) for bag in bags])) if bags else None


def _distinct_bigrams(words: list[list[str]], seed: int) -> float | None:
    chosen = words
    if len(words) > BIGRAM_SAMPLE:
        rows = np.random.default_rng(seed).choice(len(words), BIGRAM_SAMPLE, replace=False)
        chosen = [words[row] for row in rows]
    pairs = [pair for each in chosen for pair in pairwise(each)]
    return len(set(pairs)) / len(pairs) if pairs else None
