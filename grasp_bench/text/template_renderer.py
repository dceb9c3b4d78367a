"""Render the text of each entity from a template, within a limit of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from grasp_bench.core.errors import DataError, UnknownNameError
from grasp_bench.core.words import did_you_mean, nearest
from grasp_bench.services.tokens import TokenCounter, counter, most_tokens
from grasp_bench.spec.text import PromptSettings
from grasp_bench.text.attributes import ID_COLUMNS, Attributes, attribute_names
from grasp_bench.text.litellm_settings import LiteLLMText
from grasp_bench.text.providers import Account, Entities, TextStream
from grasp_bench.text.template_settings import TemplateText
from grasp_bench.text.templates import DEFAULT_TEMPLATES, SUFFIX, Prompt

EMBEDDING_MODEL = "text-embedding-ada-002"  # the paper's; its tokens count filled templates


@dataclass(frozen=True)
class TokenBudget:
    """A limit of tokens for a prompt and the system message before it."""

    tokens: int
    before: tuple[str, ...]
    counter: TokenCounter

    @classmethod
    def of(cls, source: PromptSettings) -> TokenBudget | None:
        """Return the source's limit, None without one.

        Filled templates go to no language model; they are counted as by the default embedding model.
        """
        if source.max_prompt_tokens is None:
            return None
        if isinstance(source, LiteLLMText):
            before = (source.system,) if source.system else ()
            return cls(source.max_prompt_tokens, before, counter(source.model))
        return cls(source.max_prompt_tokens, (), counter(EMBEDDING_MODEL))

    @property
    def exact(self) -> bool:
        """True when the model's own tokenizer counts."""
        return self.counter.exact

    def holds(self, prompt: str) -> bool:
        """Return True when the prompt fits; an upper bound saves counting most prompts."""
        bound = sum(most_tokens(part) for part in (*self.before, prompt))
        return bound <= self.tokens or self.count(prompt) <= self.tokens

    def count(self, prompt: str) -> int:
        """Count the tokens of a request with this prompt."""
        return self.counter.count_chat((*self.before, prompt))

    def most(self, items: int, render: Callable[[int], str]) -> int | None:
        """Return how many of the latest items fit, by bisection; `render(n)` is the prompt with n of them.

        None when not even the prompt without items fits.
        """
        if not self.holds(render(0)):
            return None
        fits, does_not = 0, items
        while does_not - fits > 1:
            middle = (fits + does_not) // 2
            if self.holds(render(middle)):
                fits = middle
            else:
                does_not = middle
        return fits

    def refusal(self, about: str, prompt: str) -> DataError:
        """Return the error for a prompt that is too long without any item."""
        return DataError(
            f"text.{about}: the prompt has {self.count(prompt)} tokens with no item of a history in it, "
            f"max_prompt_tokens is {self.tokens}",
            hint="raise max_prompt_tokens, shorten the template, or redact long columns",
        )


@dataclass
class Shortened:
    """Counts of histories that did not fit, and of items left out."""

    histories: int = 0
    items: int = 0


class TemplateRenderer:
    """`renderer[k]` is the filled template of entity k, made when it is read and not kept.

    Item templates read `item`. User templates read `user`, `items` (the part of the history that the scope
    allows) and `titles` (their titles, or else another known attribute). Both are in the source's order, cut
    to the latest `max_items`, and further until the prompt has at most `max_prompt_tokens`.

    Raises DataError when no entity has any attribute, and UnknownNameError for withheld columns that are
    absent.
    """

    def __init__(self, source: PromptSettings, entities: Entities) -> None:
        self.prompt = Prompt(source.template or DEFAULT_TEMPLATES[entities.side], entities.side)
        self._source = source
        self._entities = entities
        _check_withheld(source, entities)
        self._items = Attributes(entities.items, source.missing, source.redact)
        people = pl.DataFrame() if entities.users is None else entities.users
        self._users = Attributes(people, source.missing, source.redact)
        self._budget = TokenBudget.of(source)
        self._shortened = Shortened()
        self._require_attributes(people)
        _refuse_misspelt(self.prompt, source, {"item": entities.items, "user": people})

    def __len__(self) -> int:
        return len(self._entities.ids)

    def __iter__(self) -> Iterator[str]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, k: int) -> str:
        """Return the filled template of entity k; DataError names the entity when that fails."""
        entity = self._entities.ids[k]
        if self._entities.side == "items":
            text = self.prompt.fill(entity, item=self._items[k])
            if self._budget is not None and not self._budget.holds(text):
                raise self._budget.refusal(f"items '{entity}'", text)
            return text
        seen = self._entities.history(k)[-self._source.max_items :].tolist()
        text = self._render_user(k, seen)
        if self._budget is None or self._budget.holds(text):
            return text
        return self._render_shortened(k, seen, self._budget)

    def _render_shortened(self, k: int, seen: list[int], budget: TokenBudget) -> str:
        kept = budget.most(len(seen), lambda count: self._render_user(k, seen[len(seen) - count :]))
        if kept is None:
            raise budget.refusal(f"users '{self._entities.ids[k]}'", self._render_user(k, []))
        self._shortened.histories += 1
        self._shortened.items += len(seen) - kept
        return self._render_user(k, seen[len(seen) - kept :])

    def _render_user(self, k: int, seen: list[int]) -> str:
        order = seen[::-1] if self._source.order == "latest_first" else seen
        titles = [title for title in map(self._items.title, order) if title] or [self._source.missing]
        items = [self._items[row] for row in order]
        return self.prompt.fill(self._entities.ids[k], user=self._users[k], titles=titles, items=items)

    def facts(self) -> dict[str, Any]:
        """Return template, missing attributes and shortened histories; complete once all are rendered."""
        facts: dict[str, Any] = {
            "template": self.prompt.name,
            "template_version": self.prompt.version,
            "items_without_attributes": self._items.undescribed(),
        }
        items, users = self._items.facts(), self._users.facts()
        facts["absent_columns"] = [f"item.{name}" for name in items["absent_columns"]]
        facts["absent_columns"] += [f"user.{name}" for name in users["absent_columns"]]
        facts["unknown"] = {f"item.{name}": count for name, count in items["unknown"].items()}
        facts["unknown"] |= {f"user.{name}": count for name, count in users["unknown"].items()}
        if self._entities.side == "users":
            facts["without_history"] = int((np.diff(self._entities.history_offsets) == 0).sum())
        if self._budget is not None:
            facts["shortened_histories"] = self._shortened.histories
            facts["items_left_out"] = self._shortened.items
            facts["tokens_counted"] = "exactly" if self._budget.exact else "by a usual encoding"
        return facts

    def _require_attributes(self, people: pl.DataFrame) -> None:
        num_items = self._entities.items.height
        people_known = self._entities.side == "users" and attribute_names(people)
        if self._items.undescribed() == num_items and not people_known:
            raise DataError(
                f"none of the {num_items} items has a title or any other text",
                hint="add an items file with titles, or use precomputed texts or embeddings",
            )


def default_renderer(source: PromptSettings, entities: Entities) -> TemplateRenderer:
    """Return a renderer of the side's default template, which replaces unusable answers."""
    keys = {"missing": source.missing, "redact": source.redact, "order": source.order}
    return TemplateRenderer(TemplateText(**keys, max_items=source.max_items), entities)


def _check_withheld(source: PromptSettings, entities: Entities) -> None:
    tables = [entities.items] if entities.users is None else [entities.items, entities.users]
    known = [name for table in tables for name in table.columns]
    for name in source.redact:
        if name not in known and name not in ID_COLUMNS:
            raise UnknownNameError(
                f"text.{entities.side}.redact: there is no column '{name}'{did_you_mean(name, known)}",
                hint=f"name columns of {', '.join(dict.fromkeys(known))}",
            )


def _refuse_misspelt(prompt: Prompt, source: PromptSettings, tables: Mapping[str, pl.DataFrame]) -> None:
    """Refuse a template of the user's own that reads an absent column much like one that is there.

    It would say `missing` of every entity, in prompts that may be paid for. Shipped templates read columns
    that many data sets lack.
    """
    if not prompt.name.endswith(SUFFIX):
        return
    for read in sorted(prompt.reads):
        record, _, name = read.partition(".")
        columns = tables[record].columns if record in tables else []
        if name in columns or name in source.redact or name in ID_COLUMNS:
            continue
        free = [column for column in columns if f"{record}.{column}" not in prompt.reads]
        if name and (meant := nearest(name, free)):
            raise UnknownNameError(
                f"template {prompt.name}: no {record} has '{name}'; did you mean '{meant}'?",
                hint=f"the columns are {', '.join(columns)}; dataset.columns names them otherwise",
            )


class TemplateProvider:
    """Fills one template per entity; for variables and errors see `TemplateRenderer`."""

    def __init__(self, source: TemplateText) -> None:
        self._source = source

    def write(self, entities: Entities, account: Account) -> TextStream:
        """Return one text per entity, in their order."""
        facts: dict[str, Any] = {}
        return TextStream(_texts(TemplateRenderer(self._source, entities), facts), facts)


def _texts(renderer: TemplateRenderer, facts: dict[str, Any]) -> Iterator[str]:
    yield from renderer
    facts |= renderer.facts()
