"""Test by words whether texts of users were made from held-out items, even if they quote no title.

A keyword profile ("lullaby, lobsters") names no title, and honest text resembles the held-out item too, since
tastes are stable. The audit therefore counts distinctive words only (`distinctive_words`), which nothing else
in the user's history explains. It compares how often a text holds one of

- the held-out item;
- training items: the level of items that the text was made from;
- controls: items of like-minded users, outside the history, that share as many words with the training items
  as the held-out item does: the level that taste explains.

The held-out item is at the level of the training items if the text was made from the whole history, and at
the level of the controls if it was made from training alone. The coverage

    coverage = (held out - control) / (training - control)

is near 1 for a full leak and near 0 for none. It is the ratio of two paired means, with the interval of a
ratio estimator (Cochran, Sampling Techniques, 3rd ed. 1977, section 6.4). The decision itself uses means of
differences, which need no denominator.

The audit misses leaks into texts without specific words ("likes good books"), scripts without spaces between
words, and items whose attributes have no rare words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from grasp_bench.core.errors import DataError, LeakError
from grasp_bench.data.audits.distinctive_words import (
    Floats,
    Histories,
    Longs,
    SlotWords,
    WordMatches,
    like_minded,
    tabulate,
    tabulate_known,
)
from grasp_bench.data.splits import Split

# Coverage that honest text does not explain. Measured: 0.05 ± 0.07 for free associations (words of semantic
# neighbours of training items), 0.29 for GPT-3.5 profiles of whole histories, 1.0 for filled templates of
# whole histories; see docs/world_knowledge.md.
LEAK = 0.15
EXCESS = 0.01  # least share of users beyond taste, for texts with few distinctive words
DEVIATIONS = 3.29  # two-sided 99.9 %
AUDITED = 50_000  # users at most: enough for three digits
MATCHED = 4  # controls per held-out item
RECENT = 10  # training items per user, latest first
PARTS = {"validation": 2, "test": 1}  # their place from the end of a history


@dataclass(frozen=True)
class Coverage:
    """How often texts hold a distinctive word of held-out, training and control items, for one part.

    Rates are means over `users`, those for whom all three kinds of items have such words. `ratio` is the
    coverage with its 99.9 % interval `low`, `high`; NaN if texts hold words of training items no more often
    than of controls. `flagged` says that taste does not explain `held_out`.
    """

    users: int
    held_out: float
    training: float
    control: float
    ratio: float
    low: float
    high: float
    flagged: bool


@dataclass(frozen=True)
class CoverageAudit:
    """Coverage of both held-out parts.

    `recency[k]` is the rate of the k-th training item counted from the latest; `examples` are
    (user, item, word) of test items, as numbers, rarest words first.
    """

    parts: Mapping[str, Coverage]
    recency: tuple[float, ...]
    examples: tuple[tuple[int, int, str], ...]

    @property
    def flagged(self) -> bool:
        """True when words show that the texts were made from held-out items."""
        return any(part.flagged for part in self.parts.values())

    def refuse_if_flagged(self, name: str) -> None:
        """Raise LeakError with the rates of the part with the larger excess."""
        if not self.flagged:
            return
        part, worst = max(
            ((part, found) for part, found in self.parts.items() if found.flagged),
            key=lambda pair: pair[1].held_out - pair[1].control,
        )
        raise LeakError(
            f"{name}: {worst.held_out:.1%} of texts hold a word that only the user's {part} item explains "
            f"(training items {worst.training:.1%}, items of like-minded users {worst.control:.1%}), so the "
            f"texts were made from more than the training part",
            hint="make the text from the training part alone, or say leaks: mark to have every figure made "
            "with it marked",
        )


def describe_items(items: pl.DataFrame) -> list[str]:
    """Join all columns of the item table except ids to one text per item."""
    columns = [pl.col(name).cast(pl.String) for name in items.columns if name != "item_id"]
    if not columns:
        return [""] * items.height
    joined = items.select(pl.concat_str(columns, separator=" ", ignore_nulls=True).alias("text"))
    return joined["text"].fill_null("").to_list()


def audit_coverage(
    texts: Iterable[str], split: Split, item_texts: Sequence[str], name: str = "text.users", seed: int = 0
) -> CoverageAudit:
    """Compare words of held-out, training and control items in the texts of users.

    `texts` (num_users,), read once, and `item_texts` (num_items,), made by `describe_items`, are in entity
    order. At most 50,000 users are audited. Raises DataError when lengths do not fit.
    """
    rng = np.random.default_rng(seed)
    users = np.intersect1d(split.valid_users, split.test_users).astype(np.int64)
    if len(users) > AUDITED:
        users = np.sort(rng.choice(users, AUDITED, replace=False))
    chosen = _chosen(texts, split, users, len(item_texts), name)
    histories = Histories.of(split, users)
    items = tabulate(item_texts)
    matches = WordMatches(histories, items, tabulate_known(chosen, items.vocabulary))
    found, words_found = matches.of_histories
    recent = np.stack([histories.at(found, place) for place in range(3, 3 + RECENT)])
    candidates = like_minded(split, histories, rng)
    likeness = matches.likeness(candidates)
    parts = {}
    for part, place in PARTS.items():
        controls = _matched(candidates, likeness, matches, place)
        parts[part] = _coverage(histories.at(found, place), _mean(recent), _mean(matches.of_others(controls)))
    recency = tuple(float(np.nanmean(row)) for row in recent if not np.isnan(row).all())
    return CoverageAudit(parts, recency, _examples(words_found, matches))


def _chosen(texts: Iterable[str], split: Split, users: Longs, described: int, name: str) -> list[str]:
    wanted = np.zeros(split.num_users, dtype=bool)
    wanted[users] = True
    count, chosen = 0, []
    for text in texts:
        if count < split.num_users and wanted[count]:
            chosen.append(text)
        count += 1
    if (count, described) != (split.num_users, split.num_items):
        raise DataError(
            f"{name}: {count} texts and {described} items' texts for {split.num_users} users and "
            f"{split.num_items} items"
        )
    return chosen


def _matched(candidates: Longs, likeness: Floats, matches: WordMatches, place: int) -> Longs:
    """Choose the candidates that share about as many words with the training items as the held-out item."""
    held_out = matches.histories.items[matches.histories.place == place]
    distance = np.abs(likeness - matches.likeness(held_out[None]))
    distance[candidates < 0] = np.inf
    best = np.argsort(distance, axis=0, kind="stable")[:MATCHED]
    return np.take_along_axis(candidates, best, axis=0)


def _mean(values: Floats) -> Floats:
    """Mean over the first axis without NaN; NaN if all are."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _coverage(held_out: Floats, training: Floats, control: Floats) -> Coverage:
    known = ~(np.isnan(held_out) | np.isnan(training) | np.isnan(control))
    held_out, training, control = held_out[known], training[known], control[known]
    n = len(held_out)
    if n < 2:
        return Coverage(n, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, False)
    gained, most = held_out - control, training - control
    ratio = low = high = float("nan")
    if most.mean() > DEVIATIONS * most.std(ddof=1) / np.sqrt(n):
        ratio = float(gained.mean() / most.mean())
        error = float((gained - ratio * most).std(ddof=1) / np.sqrt(n) / most.mean())
        low, high = ratio - DEVIATIONS * error, ratio + DEVIATIONS * error
    flagged = _surely_above(gained, EXCESS) and _surely_above(gained - LEAK * most, 0.0)
    return Coverage(
        n, float(held_out.mean()), float(training.mean()), float(control.mean()), ratio, low, high, flagged
    )


def _surely_above(values: Floats, border: float) -> bool:
    error = values.std(ddof=1) / np.sqrt(len(values))
    return bool(values.mean() - DEVIATIONS * error > border)


def _examples(found: SlotWords, matches: WordMatches) -> tuple[tuple[int, int, str], ...]:
    slot, word = found
    of_test = matches.histories.place[slot] == PARTS["test"]
    slot, word = slot[of_test], word[of_test]
    rarest = np.lexsort((slot, matches.items.frequency[word]))[:5]
    names, users = list(matches.items.vocabulary), matches.histories.users
    return tuple(
        (int(users[matches.histories.row[s]]), int(matches.histories.items[s]), names[w])
        for s, w in zip(slot[rarest].tolist(), word[rarest].tolist(), strict=True)
    )
