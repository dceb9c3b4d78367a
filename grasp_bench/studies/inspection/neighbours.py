"""Inspect neighbours: agreement with behaviour, shared attributes, hubs and clones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from grasp_bench.core.errors import DataError
from grasp_bench.data.groups import head_items, head_users, item_counts, item_counts_in_training
from grasp_bench.retrieval.agreement import Agreement, Attributes, Hubness, agreement, hubness
from grasp_bench.stats.bootstrap import ratio_interval, ratio_of_means
from grasp_bench.studies.artifact_loading import LoadedSide
from grasp_bench.studies.inspection.texts import Sampled, attribute_columns, incidence, sample

NEAREST_QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Rate:
    """How often a neighbour shares something, against random partners, as means over `entities`.

    `lift` is neighbours over partners matched for popularity, with its 95 % interval; None where
    matched partners never share.
    """

    entities: int
    neighbours: float | None
    uniform: float | None
    matched: float | None
    lift: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class NeighbourInspection:
    """`behaviour` by group (all, head, tail): a shared buyer for items, a shared training item for users.

    `traits` by column: a shared brand, a shared level of the category. `nearest` and `farthest` are
    quantiles of the cosine of the first and of the last neighbour.
    """

    cell: str
    side: str
    num_neighbours: int
    behaviour: Mapping[str, Rate]
    traits: Mapping[str, Rate]
    hubs: Hubness
    most_frequent: str
    nearest: Mapping[str, float]
    farthest: Mapping[str, float]
    samples: tuple[Sampled, ...]


def inspect_neighbours(opened: LoadedSide, count: int = 5, seed: int = 0) -> NeighbourInspection:
    """Inspect the neighbours of one side of a cell; DataError where no entity has any."""
    table, split = opened.table, opened.split
    hubs = hubness(table.indices, table.similarities) if table is not None else None
    if table is None or hubs is None:
        raise DataError(f"{opened.cell}: none of the {opened.side} has a neighbour")
    users, items = split.train_users, split.train_items
    if opened.side == "items":
        met = Attributes.of_pairs(items, users, split.num_items)
        popularity = item_counts_in_training(split)
        head = head_items(item_counts(split, opened.groups), opened.groups)
    else:
        met = Attributes.of_pairs(users, items, split.num_users)
        popularity = split.train_lengths
        head = head_users(split, opened.groups)
    shares = agreement(met, table.indices, popularity, seed)
    groups = {"all": np.ones(len(head), dtype=bool), "head": head, "tail": ~head}
    traits = {}
    for column in attribute_columns(opened.subjects.items):
        having = Attributes.of_pairs(*incidence(opened, column), len(head))
        found = agreement(having, table.indices, popularity, seed)
        traits[column] = _rate(found, groups["all"])
    return NeighbourInspection(
        cell=opened.cell,
        side=opened.side,
        num_neighbours=table.indices.shape[1],
        behaviour={name: _rate(shares, members) for name, members in groups.items()},
        traits=traits,
        hubs=hubs,
        most_frequent=opened.ids[hubs.most[0]],
        nearest=_quantiles(table.similarities[:, 0], table.indices[:, 0]),
        farthest=_quantiles(table.similarities[:, -1], table.indices[:, -1]),
        samples=sample(opened, count, seed),
    )


def _rate(found: Agreement, members: np.ndarray) -> Rate:
    known = members & ~np.isnan(found.neighbours)
    if not known.any():
        return Rate(0, None, None, None, None, None, None)
    neighbours, uniform, matched = (
        values[known] for values in (found.neighbours, found.uniform, found.matched)
    )
    interval = ratio_interval(neighbours, matched)
    return Rate(
        entities=int(known.sum()),
        neighbours=float(neighbours.mean()),
        uniform=float(uniform.mean()),
        matched=float(matched.mean()),
        lift=ratio_of_means(neighbours, matched),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )


def _quantiles(similarities: np.ndarray, indices: np.ndarray) -> dict[str, float]:
    real = similarities[indices >= 0]
    if not len(real):
        return {}
    values = np.quantile(real, NEAREST_QUANTILES)
    return {f"{q:.0%}": float(value) for q, value in zip(NEAREST_QUANTILES, values, strict=True)}
