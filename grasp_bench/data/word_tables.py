"""Which words each of many texts has, as flat arrays that are searched rather than walked."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.arrays import isin_sorted
from grasp_bench.core.words import words_of

Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class WordTable:
    """Distinct words of n texts, by number.

    Those of text k are `words[offsets[k]:offsets[k + 1]]`, ascending. `vocabulary` maps a word to its
    number; `frequency` (V,) counts the texts that have a word.
    """

    vocabulary: dict[str, int]
    offsets: Longs
    words: Longs

    @property
    def frequency(self) -> Longs:
        """In how many texts each word is, (V,) int64."""
        return np.bincount(self.words, minlength=len(self.vocabulary))

    def of(self, texts: Longs) -> tuple[Longs, Longs]:
        """Words of the texts named, one after the other: (position in `texts`, word), both (T,)."""
        lengths = self.offsets[texts + 1] - self.offsets[texts]
        position = np.repeat(np.arange(len(texts)), lengths)
        begins = np.cumsum(lengths) - lengths
        return position, self.words[np.arange(len(position)) + (self.offsets[texts] - begins)[position]]

    def has(self, texts: Longs, words: Longs) -> Bools:
        """Is `words[k]` in text `texts[k]`?"""
        width = max(len(self.vocabulary), 1)
        owners = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        return isin_sorted(texts.astype(np.int64) * width + words, owners * width + self.words)


def tabulate(texts: Sequence[str]) -> WordTable:
    """Number the words of texts in the order in which they first appear."""
    vocabulary: dict[str, int] = {}
    # dict.fromkeys, not set: numbers must not depend on how this process hashes strings.
    rows = ([vocabulary.setdefault(w, len(vocabulary)) for w in dict.fromkeys(words_of(t))] for t in texts)
    return _table(vocabulary, rows)


def tabulate_known(texts: Sequence[str], vocabulary: dict[str, int]) -> WordTable:
    """The same with the numbers of another table; words that it does not have are left out."""
    return _table(vocabulary, ([vocabulary[w] for w in set(words_of(t)) if w in vocabulary] for t in texts))


def _table(vocabulary: dict[str, int], numbered: Iterable[list[int]]) -> WordTable:
    rows = [sorted(words) for words in numbered]
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    words = np.fromiter(itertools.chain.from_iterable(rows), dtype=np.int64, count=int(offsets[-1]))
    return WordTable(vocabulary, offsets, words)
