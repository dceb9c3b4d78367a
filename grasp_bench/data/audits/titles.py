"""Search the texts of users for the titles of their held-out items, and compare with chance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from grasp_bench.core.errors import DataError, LeakError
from grasp_bench.data.splits import Ints, TrainPart

MIN_TITLE = 8  # characters; a shorter title ("Red", "Heaven") is a word that occurs in any text
GROSS_EXCESS = 0.05  # share of users beyond chance that honest text does not explain
GROSS_DEVIATIONS = 5.0
# Scopes whose texts use training interactions only.
WITHIN_TRAINING = ("train", "prefix")


@dataclass(frozen=True)
class TextAudit:
    """What the search found.

    Of `checked` users, `found` texts hold the title of that user's held-out item, which the training history
    does not explain; `chance` texts hold the title of another user's held-out item. `examples` are (user
    number, title).
    """

    checked: int
    found: int
    chance: int
    examples: tuple[tuple[int, str], ...]

    @property
    def rate(self) -> float:
        """Share of checked users whose text names their own held-out item."""
        return self.found / self.checked if self.checked else 0.0

    @property
    def chance_rate(self) -> float:
        """The same share for the held-out items of other users."""
        return self.chance / self.checked if self.checked else 0.0

    @property
    def deviations(self) -> float:
        """The difference to chance in standard deviations."""
        return float((self.found - self.chance) / np.sqrt(max(self.found + self.chance, 1)))

    @property
    def gross(self) -> bool:
        """More than 5 % of users and five standard deviations above chance.

        A language model that saw only the training part may guess a sequel, but not for one user in twenty.
        """
        return self.rate - self.chance_rate > GROSS_EXCESS and self.deviations > GROSS_DEVIATIONS

    def refuse_if_gross(self, name: str, user_ids: Sequence[str] | pl.Series) -> None:
        """Raise LeakError when the texts must have been made from held-out items."""
        if self.gross:
            user, title = self.examples[0]
            raise LeakError(
                f"{name}: {self.found} of {self.checked} texts name a held-out item "
                f"({self.chance} by chance), such as '{title}' for user '{user_ids[user]}'",
                hint="make the text from the training part alone",
            )


def audit_user_texts(
    texts: Iterable[str],
    train: TrainPart,
    titles: Sequence[str | None],
    held_out: tuple[Ints, Ints],
    name: str = "text.users",
    seed: int = 0,
) -> TextAudit:
    """Search each user's text for the verbatim title of that user's held-out item.

    `texts` (num_users, read once) and `titles` (num_items,) are in entity order; `held_out` is (users, items)
    of validation or test. A title is explained when a title of the user's training items contains it. Letter
    case and white space do not matter; titles under 8 characters are left out. Raises DataError when lengths
    do not fit.
    """
    users, items = held_out
    strangers = items[np.random.default_rng(seed).permutation(len(items))]
    row_of_user = dict(zip(users.tolist(), range(len(users)), strict=True))
    plain_titles = [_plain(title or "") for title in titles]
    # 1 when the text names the item, 0 when not, -1 when the row is not informative.
    found, chance = np.full((2, len(users)), -1, dtype=np.int8)
    read = 0
    for user, text in enumerate(texts):
        read += 1
        row = row_of_user.get(user)
        if row is not None and len(titles) == train.num_items:
            plain = _plain(text)
            found[row] = _named(user, int(items[row]), plain, plain_titles, train)
            chance[row] = _named(user, int(strangers[row]), plain, plain_titles, train)
    if read != train.num_users or len(titles) != train.num_items:
        raise DataError(
            f"{name}: {read} texts and {len(titles)} titles for {train.num_users} users and "
            f"{train.num_items} items"
        )
    hits = np.flatnonzero(found == 1)
    examples = tuple((int(users[hit]), titles[items[hit]] or "") for hit in hits[:5])
    return TextAudit(int((found >= 0).sum()), len(hits), int((chance == 1).sum()), examples)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _named(user: int, item: int, text: str, titles: list[str], train: TrainPart) -> int:
    """1 when the text names the item, 0 when not, -1 when the title is too short or explained."""
    title = titles[item]
    if len(title) < MIN_TITLE:
        return -1
    # Most texts do not hold the title: search the history only for those that do.
    if title not in text:
        return 0
    explained = any(title in titles[seen] for seen in train.train_sequence(user).tolist())
    return -1 if explained else 1


def audit_scope(name: str, scope: str, leaks: str = "refuse") -> None:
    """Refuse a source made from more than the training part, unless leaks are marked."""
    if scope not in WITHIN_TRAINING and leaks != "mark":
        raise LeakError(
            f"{name}: made from '{scope.replace('_', ' ')}', so held-out items can be read in it",
            hint="use a source made from the training part alone (scope: train), or say leaks: mark to "
            "have every figure made with it marked",
        )
