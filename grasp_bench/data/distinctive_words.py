"""Which items of a history a text gives away: words that one item of the history has and no other.

A word is distinctive of an item in a history when at most one item in a hundred of the catalogue has it and
no other item of that history. Nothing else in the history explains such a word in a text, unless it is the
prompt: words that one text in ten has are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.arrays import isin_sorted
from grasp_bench.data.splits import Part, Split, joined
from grasp_bench.data.word_tables import Bools, Longs, WordTable

RARE = 0.01  # share of items that may have a distinctive word
UNCOMMON = 0.1  # and one by which items are compared
PROMPT = 0.1  # share of texts from which a word is the prompt's
AT_LEAST = 3  # items or texts, for small data
CANDIDATES = 12  # controls drawn for a held-out item, of which the best matches are kept

Floats = NDArray[np.float64]
Finding = tuple[Longs, Longs]  # slot, word


@dataclass(frozen=True, eq=False)
class Histories:
    """Training parts of some users and their targets: validation item last but one, test item last.

    A slot is one interaction: `row` is its user's place in `users`, `items` its item. `ends` (users,) are
    the offsets after each user's last slot.
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
        """How far each slot is from its history's end: test 1, validation 2, the latest training item 3."""
        return self.ends[self.row] - np.arange(len(self.row))

    def at(self, values: Floats, place: int) -> Floats:
        """`values` (slots,) of the slot at that place of each history, (users,); NaN where there is none."""
        found = np.full(len(self.users), np.nan)
        here = self.place == place
        found[self.row[here]] = values[here]
        return found


@dataclass(frozen=True, eq=False)
class Sayings:
    """What texts `said` (one a row of `histories`) hold of the words of `items`.

    A verdict is 1 where a text has a distinctive word of an item, 0 where not, NaN where the item has none.
    """

    histories: Histories
    items: WordTable
    said: WordTable

    @cached_property
    def of_histories(self) -> tuple[Floats, Finding]:
        """A verdict per slot, and the words found: (slot, word)."""
        slot, word = self._rare_of(self.histories.items)
        keys = self._keys(self.histories.row[slot], word)
        # A word that comes once in a history differs from both neighbours in sorted order.
        order = np.argsort(keys, kind="stable")
        differs = np.diff(keys[order], prepend=-1, append=-1) != 0
        alone = np.sort(order[differs[:-1] & differs[1:]])
        slot, word = slot[alone], word[alone]
        found = self.said.has(self.histories.row[slot], word)
        return _verdicts(slot, found, len(self.histories.items)), (slot[found], word[found])

    def of_others(self, others: Longs) -> Floats:
        """A verdict per item of `others` (n, users), which are in no history; -1 is nobody and NaN."""
        slot, word = self._rare_of(self.histories.items)
        known = np.sort(self._keys(self.histories.row[slot], word))
        place, word = self._rare_of(np.maximum(others, 0).ravel())
        row = place % len(self.histories.users)
        telling = ~isin_sorted(self._keys(row, word), known) & (others.ravel()[place] >= 0)
        found = self.said.has(row[telling], word[telling])
        return _verdicts(place[telling], found, others.size).reshape(others.shape)

    def likeness(self, others: Longs) -> Floats:
        """Share of the uncommon words of items `others` (n, users) that the user's training items have."""
        trained = self.histories.place > 2
        slot, word = self._words_of(self.histories.items[trained], UNCOMMON)
        known = np.sort(self._keys(self.histories.row[trained][slot], word))
        shares = []
        for items in others:  # row by row: memory stays that of one item a user
            row, word = self._words_of(np.maximum(items, 0), UNCOMMON)
            shared = np.bincount(row[isin_sorted(self._keys(row, word), known)], minlength=len(items))
            shares.append(shared / np.maximum(np.bincount(row, minlength=len(items)), 1))
        return np.stack(shares)

    @cached_property
    def _prompted(self) -> Bools:
        most = max(PROMPT * len(self.histories.users), AT_LEAST)
        return np.asarray(self.said.frequency > most)

    def _rare_of(self, items: Longs) -> Finding:
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
    """Items that readers of the same training items have in training, (CANDIDATES, users); -1 for none.

    A training item of the user is drawn, one of its readers, an item of that reader: so items come as
    often as like-minded users choose them. Where that leads back into the user's own history (nobody else
    has the items), the item of a random training interaction stands in.
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


def _verdicts(place: Longs, found: Bools, count: int) -> Floats:
    telling = np.bincount(place, minlength=count)
    hits = np.bincount(place[found], minlength=count)
    return np.where(telling > 0, (hits > 0).astype(np.float64), np.nan)
