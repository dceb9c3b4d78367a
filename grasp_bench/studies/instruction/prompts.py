"""Write TALLRec's instruction for users and candidates, from a split and, for rated data, from its ratings.

Two kinds of labels: `sampled` (an item that the user chose against items drawn at random) and `ratings` (an
item that the user liked against one that the user did not).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from grasp_bench.core.errors import DataError
from grasp_bench.data.candidates import draw
from grasp_bench.data.interactions import interactions_of
from grasp_bench.data.readers import read_table
from grasp_bench.data.splits import Split, TrainPart
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.locations import locate

Ints = NDArray[np.int64]
TITLE_WORDS = 12  # of a title that a prompt names
FEWEST = 2  # training interactions of a user who gives an example: a history and an item

CHOSEN = """Given items that a user chose, the latest last, answer Yes or No: does the user choose the target?
Chosen: {liked}
Target:"""
RATED = """Given items that a user liked and disliked, answer Yes or No: does the user like the target?
Liked: {liked}
Disliked: {disliked}
Target:"""
ENDING = "\nAnswer:"


@dataclass(frozen=True, eq=False)
class Asked:
    """Questions: `prefixes` (U) tell the history, `targets` (U, C) end it with one candidate each.

    `items_UC` are the candidates, `positive_UC` what their answer is.
    """

    prefixes: list[str]
    targets: list[list[str]]
    items_UC: Ints
    positive_UC: NDArray[np.bool_]

    @property
    def candidates(self) -> int:
        """C."""
        return int(self.items_UC.shape[1])


class Prompts:
    """Tells histories and candidates by their titles.

    `liked` maps user · num_items + item to whether the user liked the item; None for sampled labels.
    """

    def __init__(self, titles: Sequence[str], history: int, liked: dict[int, bool] | None) -> None:
        self._titles = [f'"{" ".join(title.split()[:TITLE_WORDS])}"' for title in titles]
        self._history = history
        self.liked = liked

    def ask(
        self, users: Ints, histories: Sequence[NDArray[np.int32]], items_UC: Ints,
        positive_UC: NDArray[np.bool_],
    ) -> Asked:  # fmt: skip
        """Ask of each user whether each candidate follows the history, of which the latest items are told."""
        prefixes = [
            self._prefix(user, items[-self._history :].tolist())
            for user, items in zip(users.tolist(), histories, strict=True)
        ]
        targets = [[f" {self._titles[item]}{ENDING}" for item in items] for items in items_UC.tolist()]
        return Asked(prefixes, targets, items_UC, positive_UC)

    def _prefix(self, user: int, items: list[int]) -> str:
        if self.liked is None:
            return CHOSEN.format(liked=self._named(items))
        told = {
            kind: self._named([item for item in items if self.likes(user, item) is wanted])
            for kind, wanted in (("liked", True), ("disliked", False))
        }
        return RATED.format(**told)

    def likes(self, user: int, item: int) -> bool:
        """Whether a user liked an item; without a rating, no."""
        assert self.liked is not None
        return self.liked.get(user * len(self._titles) + item, False)

    def _named(self, items: list[int]) -> str:
        return ", ".join(self._titles[item] for item in items) or "nothing"


def read_likes(
    dataset: Dataset, user_ids: Sequence[str], item_ids: Sequence[str], above: float
) -> dict[int, bool]:
    """Read which items users rated above a threshold, by user · num_items + item; the last rating counts.

    Raises DataError where the interactions have no ratings.
    """
    located = locate(dataset)
    if "interactions" not in located.files:
        raise DataError(f"{located.name}: has no file with ratings", hint="use --labels sampled")
    table = read_table(located.files["interactions"])
    rated = interactions_of(table, dataset.columns, dataset.format.time, rated=True).frame
    users = pl.DataFrame({"user": user_ids}).with_row_index("u")
    items = pl.DataFrame({"item": item_ids}).with_row_index("i")
    known = rated.drop_nulls("rating").join(users, on="user").join(items, on="item")
    if not known.height:
        raise DataError(f"{table.path}: no rating belongs to the split", hint="use --labels sampled")
    keys = known["u"].cast(pl.Int64) * len(item_ids) + known["i"].cast(pl.Int64)
    return dict(zip(keys.to_list(), (known["rating"] > above).to_list(), strict=True))


def few_shot(train: TrainPart, prompts: Prompts, teachers: Ints, examples: int, seed: int) -> Asked:
    """Draw examples from the last training interactions of teachers; no held-out interaction is read.

    Sampled labels: a teacher gives two, that item and one drawn outside the training history. Ratings: one,
    likes and dislikes in turn. Fewer examples of one seed are part of more. Raises DataError for too few.
    """
    rng = np.random.default_rng([seed, 1])
    able = teachers[train.train_lengths[teachers] >= FEWEST]
    users = rng.permutation(able)
    lasts = train.train_items[train.train_offsets[users + 1] - 1].astype(np.int64)
    if prompts.liked is not None:
        likes = np.array([prompts.likes(*pair) for pair in zip(users.tolist(), lasts.tolist(), strict=True)])
        yes, no = np.flatnonzero(likes), np.flatnonzero(~likes)
        both = min(len(yes), len(no))
        rows = np.stack([yes[:both], no[:both]], axis=1).ravel()
        users, items_UC, positive_UC = users[rows], lasts[rows, None], likes[rows, None]
    else:
        drawn = draw(
            users.astype(np.int32), train.train_items, train.train_offsets, train.num_items, 1, [seed, 2]
        )
        items_UC = np.concatenate([lasts[:, None], drawn.astype(np.int64)], axis=1)
        positive_UC = np.tile([True, False], (len(users), 1))
    if positive_UC.size < examples:
        raise DataError(
            f"{positive_UC.size} examples can be drawn, {examples} are wanted", hint="lower --examples"
        )
    count = examples // positive_UC.shape[1]
    histories = [train.train_sequence(user)[:-1] for user in users[:count].tolist()]
    return prompts.ask(users[:count], histories, items_UC[:count], positive_UC[:count])


def held_out(split: Split, prompts: Prompts, rows: Ints, negatives_QK: NDArray[np.int32]) -> Asked:
    """Ask for the test targets of rows of the test part, after all that is known before them.

    Sampled labels: the target stands before its stored negatives; ratings: it stands alone.
    """
    users, targets = split.test_users[rows].astype(np.int64), split.test_items[rows].astype(np.int64)
    items, offsets = split.known()
    histories = [items[offsets[user] : offsets[user + 1]] for user in users.tolist()]
    if prompts.liked is not None:
        pairs = zip(users.tolist(), targets.tolist(), strict=True)
        positive_UC = np.array([[prompts.likes(*pair)] for pair in pairs])
        return prompts.ask(users, histories, targets[:, None], positive_UC)
    items_UC = np.concatenate([targets[:, None], negatives_QK[rows].astype(np.int64)], axis=1)
    return prompts.ask(users, histories, items_UC, np.arange(items_UC.shape[1]) == np.zeros((len(users), 1)))
