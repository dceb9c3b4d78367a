"""Entities told by a template: what filled templates and prompts to a language model share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from grasp_bench.core.errors import DataError, UnknownNameError
from grasp_bench.core.suggest import did_you_mean
from grasp_bench.spec.text import LiteLLMText, TemplateText
from grasp_bench.text.attributes import ID_COLUMNS, Attributes, attribute_names
from grasp_bench.text.fitting import Fit
from grasp_bench.text.subjects import Subjects
from grasp_bench.text.templates import DEFAULT_TEMPLATES, Prompt

Told = TemplateText | LiteLLMText


@dataclass
class Shortened:
    """Histories that did not fit, and the items left out of them."""

    histories: int = 0
    items: int = 0


class Telling:
    """`telling[k]` is what the template says of entity k; made when it is read, and not kept.

    Item templates see `item`. User templates see `user` and its attributes, `items`, the part of the
    history that the scope allows, and `titles`, their names (an item without title is called by what
    else is known of it). Both are in the order that the source asks for, cut to the latest
    `max_items`, and further while the prompt has more than `max_prompt_tokens`.

    Raises DataError when nothing is known of anything that could be told, and UnknownNameError for
    withheld columns that are not there.
    """

    def __init__(self, source: Told, subjects: Subjects) -> None:
        self.prompt = Prompt(source.template or DEFAULT_TEMPLATES[subjects.side], subjects.side)
        self._source = source
        self._subjects = subjects
        _check_withheld(source, subjects)
        self._items = Attributes(subjects.items, source.missing, source.redact)
        people = pl.DataFrame() if subjects.users is None else subjects.users
        self._users = Attributes(people, source.missing, source.redact)
        self._fit = Fit.of(source)
        self._shortened = Shortened()
        self._refuse_silence(people)

    def __len__(self) -> int:
        return len(self._subjects.ids)

    def __iter__(self) -> Iterator[str]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, k: int) -> str:
        """The filled template of entity k; DataError names the entity when it cannot be filled or fitted."""
        entity = self._subjects.ids[k]
        if self._subjects.side == "items":
            text = self.prompt.fill(entity, item=self._items[k])
            if self._fit is not None and not self._fit.holds(text):
                raise self._fit.refusal(f"items '{entity}'", text)
            return text
        seen = self._subjects.history(k)[-self._source.max_items :].tolist()
        text = self._about_user(k, seen)
        if self._fit is None or self._fit.holds(text):
            return text
        return self._fitted(k, seen, self._fit)

    def _fitted(self, k: int, seen: list[int], fit: Fit) -> str:
        kept = fit.most(len(seen), lambda count: self._about_user(k, seen[len(seen) - count :]))
        if kept is None:
            raise fit.refusal(f"users '{self._subjects.ids[k]}'", self._about_user(k, []))
        self._shortened.histories += 1
        self._shortened.items += len(seen) - kept
        return self._about_user(k, seen[len(seen) - kept :])

    def _about_user(self, k: int, seen: list[int]) -> str:
        order = seen[::-1] if self._source.order == "latest_first" else seen
        titles = [title for title in map(self._items.title, order) if title] or [self._source.missing]
        items = [self._items[row] for row in order]
        return self.prompt.fill(self._subjects.ids[k], user=self._users[k], titles=titles, items=items)

    def facts(self) -> dict[str, Any]:
        """The template, what was missing, and how many histories were cut; complete once all are told."""
        told = {"template": self.prompt.name, "template_version": self.prompt.version}
        facts: dict[str, Any] = {**told, "items_without_attributes": self._items.undescribed()}
        items, users = self._items.facts(), self._users.facts()
        facts["absent_columns"] = [f"item.{name}" for name in items["absent_columns"]]
        facts["absent_columns"] += [f"user.{name}" for name in users["absent_columns"]]
        facts["unknown"] = {f"item.{name}": count for name, count in items["unknown"].items()}
        facts["unknown"] |= {f"user.{name}": count for name, count in users["unknown"].items()}
        if self._subjects.side == "users":
            facts["without_history"] = int((np.diff(self._subjects.history_offsets) == 0).sum())
        if self._fit is not None:
            facts["shortened_histories"] = self._shortened.histories
            facts["items_left_out"] = self._shortened.items
            facts["tokens_counted"] = "exactly" if self._fit.exact else "by a usual encoding"
        return facts

    def _refuse_silence(self, people: pl.DataFrame) -> None:
        num_items = self._subjects.items.height
        people_known = self._subjects.side == "users" and attribute_names(people)
        if self._items.undescribed() == num_items and not people_known:
            raise DataError(
                f"none of the {num_items} items has a title or any other text",
                mend="add an items file with titles, or use precomputed texts or embeddings",
            )


def plain(source: Told, subjects: Subjects) -> Telling:
    """The side's default template, filled: what stands in for an answer that cannot be used."""
    keys = {"missing": source.missing, "redact": source.redact, "order": source.order}
    return Telling(TemplateText(**keys, max_items=source.max_items), subjects)


def _check_withheld(source: Told, subjects: Subjects) -> None:
    tables = [subjects.items] if subjects.users is None else [subjects.items, subjects.users]
    known = [name for table in tables for name in table.columns]
    for name in source.redact:
        if name not in known and name not in ID_COLUMNS:
            raise UnknownNameError(
                f"text.{subjects.side}.redact: there is no column '{name}'{did_you_mean(name, known)}",
                mend=f"name columns of {', '.join(dict.fromkeys(known))}",
            )
