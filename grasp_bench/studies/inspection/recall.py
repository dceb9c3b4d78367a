"""Ask for titles of a data set that only a model that has read it can know, and score the answers.

Three questions an item, after Di Palma et al. (2025), "Do LLMs Memorize Recommendation Datasets?", arXiv
2505.10212: the rest of a title by its first half; the title of an id; and the title of an id whose row the
prompt shows, which tells whether the model can follow the question at all.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Literal

import numpy as np
import polars as pl

Words = tuple[str, ...]
Task = Literal["title", "record", "shown"]
TASKS: tuple[Task, ...] = ("title", "record", "shown")
EXAMPLES = 3  # other items that a prompt shows
WORD = re.compile(r"\w+")
NEAR = 0.5  # F1 of words from which an answer counts as near

TITLE_PROMPT = """Each line is a title of the data set {name}, cut in two by " | ". Complete the last line.
{shown}
{given} |"""
RECORD_PROMPT = """Each line is an item of the data set {name}: its id and its title. Complete the last line.
{shown}
{given} |"""


@dataclass(frozen=True)
class Question:
    """What a model is asked of one item, and what it would have to write.

    `given` is shown, `truth` is not. `swapped` is the same part of another item of the category, which nobody
    can know to belong here; `guess` is what the other items of the data set suggest.
    """

    task: Task
    item: str
    prompt: str
    given: str
    truth: str
    swapped: Words
    guess: Words


def words_in(text: str) -> Words:
    """The words and numbers of a text, case folded and NFKC-normalised."""
    return tuple(WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def questions(items: pl.DataFrame, name: str, count: int, seed: int) -> list[Question]:
    """Make the questions of `count` items, drawn from those whose title has two halves.

    `items` has item_id, title and category; `name` is that of the data set. A smaller sample of one seed is
    part of a larger one.
    """
    catalogue = _Catalogue(items)
    drawn = np.random.default_rng(seed).permutation(catalogue.divisible)[:count].tolist()
    return [
        question(catalogue, k, name, np.random.default_rng([seed, k]))
        for question in (_title_question, _record_question, partial(_record_question, task="shown"))
        for k in drawn
    ]


def _title_question(catalogue: _Catalogue, k: int, name: str, rng: np.random.Generator) -> Question:
    given, rest = catalogue.halves[k]
    lines = [" | ".join(catalogue.halves[each]) for each in catalogue.others(k, rng)]
    swapped = words_in(catalogue.halves[catalogue.fellow(k, rng)][1])
    prompt = TITLE_PROMPT.format(name=name, shown="\n".join(lines), given=given)
    return Question("title", catalogue.ids[k], prompt, given, rest, swapped, catalogue.continuation(k))


def _record_question(
    catalogue: _Catalogue, k: int, name: str, rng: np.random.Generator, task: Task = "record"
) -> Question:
    rows = catalogue.others(k, rng)
    if task == "shown":
        rows[0] = k
    item, title = catalogue.ids[k], catalogue.titles[k]
    lines = [f"{catalogue.ids[each]} | {catalogue.titles[each]}" for each in rows]
    swapped, guess = (catalogue.titles[each] for each in (catalogue.fellow(k, rng), catalogue.next_id(k)))
    prompt = RECORD_PROMPT.format(name=name, shown="\n".join(lines), given=item)
    return Question(task, item, prompt, item, title, words_in(swapped), words_in(guess))


class _Catalogue:
    """Titled items, and what the others suggest of one."""

    def __init__(self, items: pl.DataFrame) -> None:
        titled = items.filter(pl.col("title").is_not_null())
        self.ids: list[str] = titled["item_id"].to_list()
        self.titles: list[str] = titled["title"].cast(pl.String).to_list()
        self.halves = [_halves(title) for title in self.titles]
        self.divisible = [
            k for k, (given, rest) in enumerate(self.halves) if words_in(given) and words_in(rest)
        ]
        self._category = titled["category"].cast(pl.String).to_list()
        self._fellows: dict[str | None, list[int]] = {}
        for k in self.divisible:
            self._fellows.setdefault(self._category[k], []).append(k)
        self._sorted = sorted((words_in(title), k) for k, title in enumerate(self.titles))
        self._by_id = sorted(range(len(self.ids)), key=lambda k: (len(self.ids[k]), self.ids[k]))
        self._place = {k: place for place, k in enumerate(self._by_id)}

    def others(self, k: int, rng: np.random.Generator) -> list[int]:
        """Draw the items that a prompt shows as examples."""
        drawn = [self.divisible[place] for place in rng.permutation(len(self.divisible))[: EXAMPLES + 1]]
        return [each for each in drawn if each != k][:EXAMPLES]

    def fellow(self, k: int, rng: np.random.Generator) -> int:
        """Draw another item of k's category, or any where it has no fellow."""
        fellows = self._fellows[self._category[k]]
        among = fellows if len(fellows) > 1 else self.divisible
        drawn = among[int(rng.integers(len(among)))]
        return drawn if drawn != k else among[(among.index(k) + 1) % len(among)]

    def next_id(self, k: int) -> int:
        """Return the item whose id stands next to k's."""
        place = self._place[k]
        return self._by_id[place - 1 if place else 1 % len(self._by_id)]

    def continuation(self, k: int) -> Words:
        """Return the most frequent continuation of k's first half among the other titles.

        Where none begins so, it is that of the title with the longest common beginning.
        """
        given = words_in(self.halves[k][0])
        place = bisect_left(self._sorted, (given, -1))
        alike = list(self._beginning(given, place, k))
        if alike:
            return Counter(alike).most_common(1)[0][0]
        beside = self._sorted[max(0, place - 1) : place + 2]
        found = [(_shared(words, given), words) for words, other in beside if other != k]
        shared, words = max(found, default=(0, ()))
        return words[shared:]

    def _beginning(self, given: Words, place: int, k: int) -> Iterator[Words]:
        same = takewhile(lambda each: each[0][: len(given)] == given, self._sorted[place:])
        return (words[len(given) :] for words, other in same if other != k and len(words) > len(given))


def _halves(title: str) -> tuple[str, str]:
    words = title.split()
    middle = (len(words) + 1) // 2
    return " ".join(words[:middle]), " ".join(words[middle:])


def _shared(words: Words, given: Words) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(words, given, strict=False)))


@dataclass(frozen=True)
class Recall:
    """Whether words are those wanted, and whether most of them are (F1 of at least NEAR)."""

    exact: bool
    near: bool


def readings(answer: str, question: Question) -> list[Words]:
    """Return what an answer may be meant to say: its first line, and what follows a repetition of `given`."""
    lines = [words for line in answer.splitlines() if (words := words_in(line))]
    given = words_in(question.given)
    after = [
        words[end:]
        for words in lines
        for end in range(len(given), len(words))
        if words[end - len(given) : end] == given
    ]
    return [*lines[:1], *after]


def recall(said: list[Words], wanted: Words) -> Recall:
    """Compare the best of several readings, without regard to case and punctuation."""
    near = any(
        2 * sum((Counter(words) & Counter(wanted)).values()) >= NEAR * (len(words) + len(wanted))
        for words in said
    )
    return Recall(wanted in said, near)


def scores(question: Question, answer: str) -> dict[str, Recall]:
    """Score the model, and the two controls that no memory helps."""
    said, truth = readings(answer, question), words_in(question.truth)
    return {
        "model": recall(said, truth),
        "swapped": recall(said, question.swapped),
        "guess": recall([question.guess], truth),
    }
