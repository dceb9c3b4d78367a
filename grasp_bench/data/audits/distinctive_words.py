"""Find the distinctive words of items in texts.

A word is distinctive of an item in a history when at most one item in a hundred of the catalogue has it, and
no other item of that history. Only that item explains such a word in a text, or the prompt: words that occur
in one text in ten are left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.arrays import isin_sorted
from grasp_bench.core.words import words_of
from grasp_bench.data.splits import Part, Split, joined

RARE = 0.01  # largest share of items with a distinctive word
UNCOMMON = 0.1  # largest share of items with a word by which items are compared
PROMPT = 0.1  # share of texts above which a word belongs to the prompt
AT_LEAST = 3  # items or texts, for small data
CANDIDATES = 12  # controls drawn for a held-out item, of which the best matches are used

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
SlotWords = tuple[Longs, Longs]  # slot, word

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Histories:
    """Training histories of some users with their targets: validation item last but one, test item last.

    A slot is one interaction: `row` is its user's place in `users`, `items` its item. `ends` (users,) are the
    offsets after each user's last slot.
    """

    users: Longs
    row: Longs
    items: Longs
    ends: Longs

    @classmethod
    def of(cls, split: Split, users: Longs) -> Histories:
        """Histories of users who have both targets."""
        targets = Part(split.valid_users, split.valid_items), Part(split.test_users, split.test_items)
        flat, offsets = joined(split.num_users, Part(split.train_users, split.train_items), *targets)
        lengths = (offsets[users + 1] - offsets[users]).astype(np.int64)
        ends = np.cumsum(lengths)
        row = np.repeat(np.arange(len(users)), lengths)
        items = flat[np.arange(len(row)) - (ends - lengths)[row] + offsets[users][row]]
        return cls(users, row, items.astype(np.int64), ends)

    @cached_property
    def place(self) -> Longs:
        """Each slot's place from the end of its history: test 1, validation 2, latest training item 3."""
        return self.ends[self.row] - np.arange(len(self.row))

    def at(self, values: Floats, place: int) -> Floats:
        """`values` (slots,) at that place of each history, (users,); NaN for shorter histories."""
        found = np.full(len(self.users), np.nan)
        here = self.place == place
        found[self.row[here]] = values[here]
        return found


@dataclass(frozen=True, eq=False)
class WordMatches:
    """The words of `items` in `texts` (one per row of `histories`).

    An answer is 1 if a text has a distinctive word of an item, 0 if not, NaN if the item has no such word.
    """

    histories: Histories
    items: WordTable
    texts: WordTable

    @cached_property
    def of_histories(self) -> tuple[Floats, SlotWords]:
        """Answers per slot, and the words found: (slot, word)."""
        slot, word = self._rare_of(self.histories.items)
        keys = self._keys(self.histories.row[slot], word)
        # A word that occurs once in a history differs from both neighbours in sorted order.
        order = np.argsort(keys, kind="stable")
        differs = np.diff(keys[order], prepend=-1, append=-1) != 0
        alone = np.sort(order[differs[:-1] & differs[1:]])
        slot, word = slot[alone], word[alone]
        found = self.texts.has(self.histories.row[slot], word)
        return _answers(slot, found, len(self.histories.items)), (slot[found], word[found])

    def of_others(self, others: Longs) -> Floats:
        """Answers per item of `others` (n, users), none of them in the user's history; NaN for -1."""
        slot, word = self._rare_of(self.histories.items)
        known = np.sort(self._keys(self.histories.row[slot], word))
        place, word = self._rare_of(np.maximum(others, 0).ravel())
        row = place % len(self.histories.users)
        telling = ~isin_sorted(self._keys(row, word), known) & (others.ravel()[place] >= 0)
        found = self.texts.has(row[telling], word[telling])
        return _answers(place[telling], found, others.size).reshape(others.shape)

    def likeness(self, others: Longs) -> Floats:
        """Share of the uncommon words of items `others` (n, users) that the user's training items have."""
        trained = self.histories.place > 2
        slot, word = self._words_of(self.histories.items[trained], UNCOMMON)
        known = np.sort(self._keys(self.histories.row[trained][slot], word))
        shares = []
        for items in others:  # row by row, to hold one item per user in memory
            row, word = self._words_of(np.maximum(items, 0), UNCOMMON)
            shared = np.bincount(row[isin_sorted(self._keys(row, word), known)], minlength=len(items))
            shares.append(shared / np.maximum(np.bincount(row, minlength=len(items)), 1))
        return np.stack(shares)

    @cached_property
    def _prompted(self) -> Bools:
        most = max(PROMPT * len(self.histories.users), AT_LEAST)
        return np.asarray(self.texts.frequency > most)

    def _rare_of(self, items: Longs) -> SlotWords:
        position, word = self._words_of(items, RARE)
        kept = ~self._prompted[word]
        return position[kept], word[kept]

    def _words_of(self, items: Longs, share: float) -> tuple[Longs, Longs]:
        position, word = self.items.of(items)
        limit = max(share * (len(self.items.offsets) - 1), AT_LEAST)
        kept = self.items.frequency[word] <= limit
        return position[kept], word[kept]

    def _keys(self, row: Longs, word: Longs) -> Longs:
        return row * max(len(self.items.vocabulary), 1) + word


def like_minded(split: Split, histories: Histories, rng: np.random.Generator) -> Longs:
    """Draw training items of users who share training items with the user, (CANDIDATES, users); -1 for none.

    Draws a training item of the user, another user who has it, and an item of that user: items occur as often
    as like-minded users choose them. If the item is in the user's own history, that of a random training
    interaction replaces it.
    """
    train_items, offsets = split.train_items.astype(np.int64), split.train_offsets
    readers = split.train_users[np.argsort(train_items, kind="stable")].astype(np.int64)
    counts = np.bincount(train_items, minlength=split.num_items)
    first = np.cumsum(counts) - counts
    row = np.tile(np.arange(len(histories.users)), CANDIDATES)

    def pick(begin: Longs, length: Longs) -> Longs:
        return begin + (rng.random(len(begin)) * length).astype(np.int64)

    def an_item_of(user: Longs) -> Longs:
        return train_items[pick(offsets[user], offsets[user + 1] - offsets[user])]

    seen = an_item_of(histories.users[row])
    drawn = an_item_of(readers[pick(first[seen], counts[seen])])
    own = np.sort(histories.row * split.num_items + histories.items)
    again = isin_sorted(row * split.num_items + drawn, own)
    drawn[again] = train_items[rng.integers(0, len(train_items), int(again.sum()))]
    drawn[isin_sorted(row * split.num_items + drawn, own)] = -1
    return drawn.reshape(CANDIDATES, len(histories.users))


def _answers(place: Longs, found: Bools, count: int) -> Floats:
    telling = np.bincount(place, minlength=count)
    hits = np.bincount(place[found], minlength=count)
    return np.where(telling > 0, (hits > 0).astype(np.float64), np.nan)


@dataclass(frozen=True, eq=False)
class WordTable:
    """Distinct words of n texts, as numbers in flat arrays.

    Text k has the words `words[offsets[k]:offsets[k + 1]]`, ascending. `vocabulary` maps a word to its
    number.
    """

    vocabulary: dict[str, int]
    offsets: Longs
    words: Longs

    @property
    def frequency(self) -> Longs:
        """Number of texts with each word, (V,) int64."""
        return np.bincount(self.words, minlength=len(self.vocabulary))

    def of(self, texts: Longs) -> tuple[Longs, Longs]:
        """Words of the given texts in turn: (position in `texts`, word), both (T,)."""
        lengths = self.offsets[texts + 1] - self.offsets[texts]
        position = np.repeat(np.arange(len(texts)), lengths)
        begins = np.cumsum(lengths) - lengths
        return position, self.words[np.arange(len(position)) + (self.offsets[texts] - begins)[position]]

    def has(self, texts: Longs, words: Longs) -> Bools:
        """True where `words[k]` is in text `texts[k]`."""
        width = max(len(self.vocabulary), 1)
        owners = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        return isin_sorted(texts.astype(np.int64) * width + words, owners * width + self.words)


def tabulate(texts: Sequence[str]) -> WordTable:
    """Number the words of texts by first appearance."""
    vocabulary: dict[str, int] = {}
    # dict.fromkeys, not set: numbers must not depend on how this process hashes strings.
    rows = ([vocabulary.setdefault(w, len(vocabulary)) for w in dict.fromkeys(words_of(t))] for t in texts)
    return _table(vocabulary, rows)


def tabulate_known(texts: Sequence[str], vocabulary: dict[str, int]) -> WordTable:
    """Tabulate with the numbers of another table; words outside its vocabulary are left out."""
    return _table(vocabulary, ([vocabulary[w] for w in set(words_of(t)) if w in vocabulary] for t in texts))


def _table(vocabulary: dict[str, int], numbered: Iterable[list[int]]) -> WordTable:
    rows = [sorted(words) for words in numbered]
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    words = np.fromiter(itertools.chain.from_iterable(rows), dtype=np.int64, count=int(offsets[-1]))
    return WordTable(vocabulary, offsets, words)
