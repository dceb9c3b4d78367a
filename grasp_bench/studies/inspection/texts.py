"""Inspect texts: samples with their neighbours, statistics, echoes, revealed held-out items."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.data.audits.coverage import CoverageAudit, audit_coverage, describe_items
from grasp_bench.studies.artifact_loading import LoadedSide
from grasp_bench.text.answers import TextStatistics, text_statistics
from grasp_bench.text.echo import EchoCheck, Kind
from grasp_bench.text.litellm_settings import LiteLLMText
from grasp_bench.text.template_renderer import TemplateRenderer

NEAREST = 3
TITLES = 5  # of a user's history


@dataclass(frozen=True)
class Nearby:
    """A neighbour: who it is, its cosine, and per column the shared values with their Jaccard overlap."""

    id: str
    titles: tuple[str, ...]
    similarity: float
    shared: dict[str, tuple[str, ...]]
    overlap: dict[str, float]


@dataclass(frozen=True)
class Sampled:
    """One entity. `prompt` is what a model was asked, None where the text is a filled template or was
    written elsewhere; `titles` are the item's own, or the latest of `history` items of a user."""

    id: str
    titles: tuple[str, ...]
    history: int
    prompt: str | None
    text: str | None
    nearest: tuple[Nearby, ...]


def sample(opened: LoadedSide, count: int, seed: int) -> tuple[Sampled, ...]:
    """Draw entities, in the order of their numbers."""
    n = len(opened.subjects.ids)
    drawn = np.sort(np.random.default_rng(seed).choice(n, min(count, n), replace=False))
    prompt_of = prompts_of(opened)
    looked_up = _Names(opened)
    return tuple(
        Sampled(
            id=looked_up.ids[k],
            titles=looked_up.titles(k),
            history=len(rows_about(opened, k)),
            prompt=prompt_of(k),
            text=None if opened.texts is None else opened.texts[k],
            nearest=looked_up.nearest(k),
        )
        for k in drawn.tolist()
    )


def prompts_of(opened: LoadedSide) -> Callable[[int], str | None]:
    if not isinstance(opened.source, LiteLLMText):
        return lambda entity: None
    return TemplateRenderer(opened.source, opened.subjects).__getitem__


class _Names:
    """Names and attributes of entities of one side."""

    def __init__(self, opened: LoadedSide) -> None:
        items = opened.subjects.items
        self._loaded = opened
        self.ids = opened.ids
        self._titles = items["title"].cast(pl.String).to_list()
        self._item_ids = items["item_id"].to_list()
        self._traits = {name: attributes_of_items(items, name) for name in attribute_columns(items)}

    def titles(self, entity: int) -> tuple[str, ...]:
        rows = rows_about(self._loaded, entity)[::-1][:TITLES]  # latest first
        return tuple(self._titles[row] or self._item_ids[row] for row in rows)

    def nearest(self, entity: int) -> tuple[Nearby, ...]:
        table = self._loaded.table
        if table is None:
            return ()
        pairs = zip(table.indices[entity].tolist(), table.similarities[entity].tolist(), strict=True)
        real = [(other, similarity) for other, similarity in pairs if other >= 0]
        return tuple(self._nearby(entity, other, similarity) for other, similarity in real[:NEAREST])

    def _nearby(self, entity: int, other: int, similarity: float) -> Nearby:
        shared, overlap = {}, {}
        for column, of_items in self._traits.items():
            ours, theirs = (attributes_of_entity(self._loaded, of_items, k) for k in (entity, other))
            if ours or theirs:
                shared[column] = tuple(sorted(ours & theirs))
                overlap[column] = round(len(ours & theirs) / len(ours | theirs), 4)
        return Nearby(self.ids[other], self.titles(other), round(similarity, 4), shared, overlap)


COLUMNS = ("category", "brand")
_PARTS = re.compile(r"\s*[>|]\s*")  # a category is a path, or a list


def attribute_columns(items: pl.DataFrame) -> list[str]:
    """Brand and category, as far as any item has one."""
    return [name for name in COLUMNS if name in items.columns and items[name].null_count() < items.height]


def attributes_of_items(items: pl.DataFrame, column: str) -> list[frozenset[str]]:
    """Each item's values: the levels of its category, or its brand; empty where nothing is known."""
    values = items[column].cast(pl.String).fill_null("").to_list()
    parts = (_PARTS.split(value) if column == "category" else [value] for value in values)
    return [frozenset(filter(None, each)) for each in parts]


def rows_about(opened: LoadedSide, entity: int) -> list[int]:
    """Rows of the item table that an entity is about: the item, or the history as its text may tell it."""
    return [entity] if opened.side == "items" else opened.subjects.history(entity).tolist()


def attributes_of_entity(opened: LoadedSide, of_items: list[frozenset[str]], entity: int) -> frozenset[str]:
    """An item's own values, or those of all items of a user's history."""
    return frozenset().union(*(of_items[row] for row in rows_about(opened, entity)))


def incidence(opened: LoadedSide, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (entity, value number) over all entities; users have the values of their training items."""
    numbers: dict[str, int] = {}
    of_items = [
        [numbers.setdefault(value, len(numbers)) for value in sorted(values)]
        for values in attributes_of_items(opened.subjects.items, column)
    ]
    lengths = np.array([len(values) for values in of_items])
    rows = np.repeat(np.arange(len(of_items)), lengths)
    values = np.array([value for each in of_items for value in each], dtype=np.int64)
    if opened.side == "items":
        return rows, values
    begins = np.cumsum(lengths) - lengths
    items = opened.split.train_items.astype(np.int64)
    users = np.repeat(opened.split.train_users.astype(np.int64), lengths[items])
    inside = np.arange(len(users)) - np.repeat(np.cumsum(lengths[items]) - lengths[items], lengths[items])
    return users, values[np.repeat(begins[items], lengths[items]) + inside]


@dataclass(frozen=True)
class TextInspection:
    """The whole inspection; `coverage` is for users alone, its examples are (user id, title, word)."""

    cell: str
    side: str
    source: Mapping[str, Any]
    statistics: TextStatistics
    verdicts: Mapping[str, int] | None
    echoes: Mapping[str, int] | None
    coverage: CoverageAudit | None
    covered: tuple[tuple[str, str, str], ...]
    samples: tuple[Sampled, ...]


def inspect_text(opened: LoadedSide, count: int = 5, seed: int = 0) -> TextInspection:
    """Inspect the texts of one side of a cell; DataError where there is none.

    `verdicts` are those that the text stage gave to a model's answers, before its fallback; `echoes` counts
    its texts that repeat their prompt, or that would fit any entity.
    """
    if opened.texts is None or opened.source is None:
        raise DataError(f"{opened.cell}: the {opened.side} have vectors and no text")
    coverage = None
    if opened.side == "users":
        described = describe_items(opened.subjects.items)
        coverage = audit_coverage(opened.texts, opened.split, described, seed=seed)
    return TextInspection(
        cell=opened.cell,
        side=opened.side,
        source=opened.source.model_dump(mode="json", exclude_defaults=True) | {"scope": opened.source.scope},
        statistics=text_statistics(opened.texts, seed),
        verdicts=opened.facts.get("verdicts"),
        echoes=_echoes(opened, opened.texts),
        coverage=coverage,
        covered=_covered(opened, coverage),
        samples=sample(opened, count, seed),
    )


def _echoes(opened: LoadedSide, texts: Sequence[str]) -> dict[str, int] | None:
    if not isinstance(opened.source, LiteLLMText):
        return None
    prompt_of, check = prompts_of(opened), EchoCheck.among(texts)
    found = Counter(check.kind(text, prompt_of(k) or "") for k, text in enumerate(texts))
    return {kind: found[kind] for kind in get_args(Kind)}


def _covered(opened: LoadedSide, coverage: CoverageAudit | None) -> tuple[tuple[str, str, str], ...]:
    if coverage is None:
        return ()
    titles, ids = opened.subjects.items["title"].to_list(), opened.ids
    item_ids = opened.subjects.items["item_id"].to_list()
    return tuple((ids[user], titles[item] or item_ids[item], word) for user, item, word in coverage.examples)
