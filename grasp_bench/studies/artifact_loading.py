"""Load what cells have stored of users or items: texts, neighbours, codes, and the entities they describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from safetensors import safe_open

from grasp_bench.core import integrity
from grasp_bench.core.errors import StoreError, UnknownNameError
from grasp_bench.core.store import Artefact, Store
from grasp_bench.core.words import did_you_mean
from grasp_bench.data.artefacts import read_item_table, read_split
from grasp_bench.data.splits import Split
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.plan.nodes import Node
from grasp_bench.plan.semantic_id_nodes import CODES, VECTORS
from grasp_bench.spec.choices import Text, TextSource
from grasp_bench.spec.dataset import Groups
from grasp_bench.stages.text import entities_of
from grasp_bench.text.providers import Entities, Side

ROLES: dict[Side, str] = {"users": "user", "items": "item"}


@dataclass(frozen=True, eq=False)
class Table:
    """A neighbour table: `indices` (n, N) int32, -1 for nobody, and their cosines (n, N) float32."""

    indices: np.ndarray
    similarities: np.ndarray


@dataclass(frozen=True, eq=False)
class LoadedSide:
    """The texts and neighbours of one side (users or items) of a cell.

    `subjects` holds entities, attributes, and histories as far as the source's scope tells them. `section` is
    the cell's section of texts, of which `source` is this side's. `texts` and `facts` (of the text artefact)
    are None and empty where vectors are precomputed; `table` is None where neighbours are not made yet.
    """

    cell: str
    side: Side
    section: Text
    source: TextSource | None
    split: Split
    groups: Groups
    subjects: Entities
    texts: list[str] | None
    facts: Mapping[str, Any]
    table: Table | None

    @property
    def ids(self) -> list[str]:
        """Outside ids of the entities, in order."""
        return list(self.subjects.ids)


def load_texts(plan: Plan, store: Store, side: Side, slug: str | None = None) -> LoadedSide:
    """Load one side of the cell `slug`, or of the first cell that has text.

    Raises UnknownNameError when no such cell has text, StoreError when its text is not made yet.
    """
    cell = _cell(plan, f"{ROLES[side]}_text", slug, f"text of {side}")
    artefact = _finished(store, cell, f"{ROLES[side]}_text", plan.name, f"the texts of {side}")
    return _loaded(store, cell, side, artefact, _table_if_there(store, cell, side))


def load_neighbours(plan: Plan, store: Store, side: Side, slug: str | None = None) -> LoadedSide:
    """Load one side of the cell `slug`, or of the first cell that has neighbours, with texts if any."""
    role = f"{ROLES[side]}_neighbours"
    cell = _cell(plan, role, slug, f"neighbours of {side}")
    _finished(store, cell, role, plan.name, f"the neighbours of {side}")
    text = cell.nodes.get(f"{ROLES[side]}_text")
    artefact = store.get("text", text.hash) if text is not None and store.has("text", text.hash) else None
    return _loaded(store, cell, side, artefact, _table_if_there(store, cell, side))


@dataclass(frozen=True, eq=False)
class LoadedCodes:
    """The semantic IDs of items that some cells read, with their card.

    `codes` (m, L) int64; `vectors` says what they were made from, None for codes that read none.
    """

    cells: tuple[str, ...]
    settings: Mapping[str, Any]
    vectors: str | None
    codes: np.ndarray
    card: Mapping[str, Any]
    split: Split
    items: pl.DataFrame


def load_codes(plan: Plan, store: Store, slug: str | None = None) -> tuple[list[LoadedCodes], list[str]]:
    """Load each making of semantic IDs once, in the order of cells, or that of the cell `slug` alone.

    Returns them, and the cells whose codes are not made yet. Raises UnknownNameError when no such cell reads
    codes, StoreError when none are made yet.
    """
    first = _cell(plan, CODES, slug, "semantic IDs")
    asked = [cell for cell in plan.cells if CODES in cell.nodes and slug in (None, cell.slug)]
    readers: dict[str, list[Cell]] = {}
    for cell in asked:
        readers.setdefault(cell.nodes[CODES].hash, []).append(cell)
    made = [cells for digest, cells in readers.items() if store.has("semantic_ids", digest)]
    if not made:
        _finished(store, first, CODES, plan.name, "the semantic IDs")
    missing = [cell.slug for cell in asked if not store.has("semantic_ids", cell.nodes[CODES].hash)]
    return [_codes(store, cells) for cells in made], missing


def _codes(store: Store, cells: list[Cell]) -> LoadedCodes:
    node = cells[0].nodes[CODES]
    artefact, split = store.get(node.stage, node.hash), store.get("split", node.inputs["split"].hash).path
    with safe_open(artefact.file("codes.safetensors"), framework="numpy") as tensors:
        codes = tensors.get_tensor("codes").astype(np.int64)
    return LoadedCodes(
        cells=tuple(cell.slug for cell in cells),
        settings=node.settings,
        vectors=_vectors_of(node),
        codes=codes,
        card=artefact.sidecar["facts"],
        split=read_split(split),
        items=read_item_table(split),
    )


def _vectors_of(node: Node) -> str | None:
    """Return `semantic_ids.vectors` of the node, which is a key of those that are trained alone."""
    if (taught := node.settings.get("vectors")) is not None:
        return str(taught)
    return next((name for name, role in VECTORS.items() if role in node.inputs), None)


def read_table(artefact: Artefact) -> Table:
    """Read indices and similarities of a neighbours artefact, without its pooled vectors."""
    with safe_open(artefact.file("neighbours.safetensors"), framework="numpy") as tensors:
        return Table(tensors.get_tensor("indices"), tensors.get_tensor("similarities"))


def _loaded(store: Store, cell: Cell, side: Side, text: Artefact | None, table: Table | None) -> LoadedSide:
    split = store.get("split", cell.nodes["split"].hash).path
    source = cell.experiment.text.users if side == "users" else cell.experiment.text.items
    told = source if f"{ROLES[side]}_text" in cell.nodes else None
    scope, stale = (told.scope, told.stale or 0) if told else ("train", 0)
    subjects = entities_of(split, side, scope, stale)
    return LoadedSide(
        cell=cell.slug,
        side=side,
        section=cell.experiment.text,
        source=told,
        split=read_split(split),
        groups=cell.experiment.dataset.protocol.groups,
        subjects=subjects,
        texts=None if text is None else _texts(text, len(subjects.ids)),
        facts=text.sidecar.get("facts", {}) if text is not None else {},
        table=table,
    )


def _texts(artefact: Artefact, expected: int) -> list[str]:
    texts = pl.read_parquet(artefact.file("texts.parquet"), glob=False)["text"].fill_null("").to_list()
    if len(texts) != expected:
        integrity.reject(artefact.path, f"{artefact.path}: {len(texts)} texts for {expected} entities")
    return texts


def _table_if_there(store: Store, cell: Cell, side: Side) -> Table | None:
    node = cell.nodes.get(f"{ROLES[side]}_neighbours")
    if node is None or not store.has("neighbours", node.hash):
        return None
    return read_table(store.get("neighbours", node.hash))


def _cell(plan: Plan, role: str, slug: str | None, what: str) -> Cell:
    having = {cell.slug: cell for cell in plan.cells if role in cell.nodes}
    if slug is None and not having:
        raise UnknownNameError(
            f"{plan.name}: no cell has {what}", hint="inspect a spec with an enhancer that reads text"
        )
    slug = slug or next(iter(having))
    if slug not in having:
        there = any(cell.slug == slug for cell in plan.cells)
        wrong = f"cell '{slug}' has no {what}" if there else f"no cell '{slug}'{did_you_mean(slug, having)}"
        raise UnknownNameError(f"{plan.name}: {wrong}", hint=f"choose one of: {', '.join(having)}")
    return having[slug]


def _finished(store: Store, cell: Cell, role: str, spec: str, what: str) -> Artefact:
    node = cell.nodes[role]
    if not store.has(node.stage, node.hash):
        raise StoreError(
            f"{store.root}: {what} of {cell.slug} are not there yet",
            hint=f"run {spec} first (grasp-bench run), or name the store it ran with (--store)",
        )
    return store.get(node.stage, node.hash)
