"""Inspect how trained cells weigh own, similar and global embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.store import Store
from grasp_bench.core.words import did_you_mean
from grasp_bench.data.artefacts import read_item_table, read_user_ids
from grasp_bench.data.groups import head_items, head_users, item_counts
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.studies.artifact_loading import ROLES, LoadedSide, load_texts
from grasp_bench.studies.attention.corruption import (
    MOSTLY,
    Claims,
    corrupt,
    corruption_of,
    shares_of_pairs,
    told_wrong,
    trained_under,
)
from grasp_bench.studies.attention.reading import (
    UNCHOSEN_PER_USER,
    Pairs,
    Reading,
    cells_with_attention,
    history_pairs,
    open_reading,
    settings_of,
    unchosen_pairs,
)
from grasp_bench.studies.attention.schema import Attention, AttentionCell, Corruption, HeatMap, Weights
from grasp_bench.studies.serving import labels

BINS = 50
DIGITS = 6  # single precision holds no more
MIDDLE, NEAR_MIDDLE = 0.5, 0.01
QUANTILES = ("0.05", "0.25", "0.5", "0.75", "0.95")

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class HeatMapUsers:
    """Users of heat maps: those with the given ids, and `sample` more drawn from users with several items."""

    ids: Sequence[str] = ()
    sample: int = 3
    seed: int = 0


@dataclass(frozen=True)
class InspectionOptions:
    """What to inspect: cells by a glob, users of the heat maps, the rate and seed of a corruption after
    training (0: none), and which claims make a text a wrong one (None: noise alone makes contexts wrong)."""

    cells: str = "*"
    users: HeatMapUsers = field(default_factory=HeatMapUsers)
    corrupt: float = 0.0
    seed: int = 0
    claims: Claims | None = None


def inspect_attention(plan: Plan, store: Store, options: InspectionOptions) -> Attention:
    """Inspect the cells that `options` names; raises as `cells_with_attention` and `heat_maps` do."""
    cells, left_out = cells_with_attention(plan, store, options.cells)
    named = labels(plan.cells)
    remarks: list[str] = []
    told = {
        cell.slug: [
            load_texts(plan, store, side, cell.slug) for side in ROLES if f"{ROLES[side]}_text" in cell.nodes
        ]
        for cell in (cells if options.claims else ())
    }
    found = [
        _inspect(cell, named[cell.slug], store, options, remarks, told.get(cell.slug, ())) for cell in cells
    ]
    notes = [*_notes(cells, found, options), *dict.fromkeys(remarks), *left_out]
    return Attention(spec=plan.name, cells=found, notes=notes)


def weights_of(part: str, group: str, values: NDArray[np.float64]) -> Weights:
    """Describe the weights (P,) of one part over one group of pairs, P > 0."""
    values = np.clip(values, 0.0, 1.0)  # a softmax of one may round above 1
    counts, edges = np.histogram(values, bins=BINS, range=(0.0, 1.0))
    quantiles = np.quantile(values, [float(q) for q in QUANTILES])
    return Weights(
        part=part,
        group=group,
        count=len(values),
        mean=round(float(values.mean()), DIGITS),
        std=round(float(values.std()), DIGITS),
        saturated=round(float((np.abs(values - MIDDLE) <= NEAR_MIDDLE).mean()), DIGITS),
        quantiles=dict(zip(QUANTILES, quantiles.round(DIGITS).tolist(), strict=True)),
        edges=edges.round(DIGITS).tolist(),
        counts=counts.tolist(),
    )


def evenness(pairs: Pairs, over: str) -> float:
    """Measure how far softmax weights are from equal shares: the mean of |weight over share - 1|.

    A share is one over the items that a weight is normalised over: those up to its own (`prefix`) or all of
    the `sequence`.
    """
    _, starts, lengths = np.unique(pairs.users, return_index=True, return_counts=True)
    count = np.repeat(lengths, lengths)
    if over == "prefix":
        count = np.arange(len(pairs.users)) - np.repeat(starts, lengths) + 1
    return float(np.abs(pairs.weights * count[:, None] - 1).mean()) if len(count) else 0.0


def _inspect(
    cell: Cell,
    label: str,
    store: Store,
    options: InspectionOptions,
    remarks: list[str],
    texts: Sequence[LoadedSide],
) -> AttentionCell:
    reading = open_reading(cell, store)
    known, corrupted = reading.knowledge, trained_under(reading)
    noise = _noise_words(cell) if corrupted else None
    if options.corrupt and not corrupted:
        known, corrupted = corrupt(reading, options.corrupt, options.seed)
        noise = f"none in training; permute {options.corrupt:g} of both sides behind the trained model's back"
    if options.claims and not corrupted:
        corrupted = told_wrong(reading, texts, options.claims)
        noise = f"none in training; texts with a claim that is {options.claims}"
    model = reading.model(known)
    parts = model.holistic.shape.parts
    pairs, unchosen = history_pairs(reading, model), unchosen_pairs(reading, model)
    if settings_of(cell).attention == "softmax":
        apart = evenness(pairs, settings_of(cell).softmax_over)
        remarks.append(
            f"{label}: softmax weights differ from equal shares by {100 * apart:.2g} % in the mean."
        )
    weights, corruption = [], list[Corruption]()
    groups = _groups(reading, pairs)
    for place, part in enumerate(parts):
        shares = dict(shares_of_pairs(corrupted, pairs, part))
        values = pairs.weights[:, place]
        found = [corruption_of(part, side, values, each) for side, each in shares.items()]
        corruption += [each for each in found if each is not None]
        for name, members in {**groups, **_by_corruption(shares)}.items():
            if members.any():
                weights.append(weights_of(part, name, values[members]))
        if len(unchosen.weights):
            weights.append(weights_of(part, "unchosen", unchosen.weights[:, place]))
    return AttentionCell(
        slug=cell.slug,
        label=label,
        seed=cell.seed if cell.seed is not None else cell.experiment.first_seeds[0],
        attention=settings_of(cell).attention,
        noise=noise,
        scale=dict(zip(parts, model.holistic.log_scale.detach().exp().tolist(), strict=True)),
        pairs=len(pairs.items),
        weights=weights,
        corruption=corruption,
        heat_maps=heat_maps(reading, pairs, parts, options.users),
    )


def _groups(reading: Reading, pairs: Pairs) -> Mapping[str, Bools]:
    """Groups of history pairs: head and tail as on the boards, training and validation."""
    split, rule = reading.split, reading.cell.experiment.dataset.protocol.groups
    head_user = head_users(split, rule)[pairs.users]
    head_item = head_items(item_counts(split, rule), rule)[pairs.items]
    return {
        "all": np.ones(len(pairs.items), dtype=bool),
        "head_users": head_user,
        "tail_users": ~head_user,
        "head_items": head_item,
        "tail_items": ~head_item,
        "training": ~pairs.held_out,
        "validation": pairs.held_out,
    }


def _by_corruption(shares: Mapping[str, NDArray[np.float64]]) -> Mapping[str, Bools]:
    """Groups by the corruption of either side, or of the one that was hit."""
    if not shares:
        return {}
    mostly = list(shares.values())[-1] >= MOSTLY
    return {"clean": ~mostly, "corrupted": mostly}


def _noise_words(cell: Cell) -> str:
    noise = cell.experiment.noise
    assert noise is not None
    said = noise.identity()
    sides = "both sides" if noise.side == "both" else noise.side
    return f"{said['kind']} {noise.rate:g} of {sides}, {noise.when.replace('_', ' ')}"


def _notes(
    cells: Sequence[Cell], found: Sequence[AttentionCell], options: InspectionOptions
) -> Iterator[str]:
    yield (
        "Pairs of users and the items of their histories, training and validation, cut as the model reads "
        f"them; test is not opened. `unchosen`: {UNCHOSEN_PER_USER} of each user's validation negatives."
    )
    fixed = any(
        settings_of(cell).attention == "sigmoid" and settings_of(cell).logit_scale == "fixed"
        for cell in cells
    )
    if fixed:
        yield (
            "With a fixed scale a sigmoid weight is a function of the frozen embeddings alone: training "
            "changes nothing about it, and seeds on the same embeddings have the same weights."
        )
    if any(cell.experiment.dataset.protocol.groups.count_on == "all" for cell in cells):
        yield "Head items are counted without test targets here: their border may differ from the board's."
    if any(settings_of(cell).attention == "softmax" for cell in cells):
        yield "Softmax weights are shares of a sequence: 0.5 is no middle of theirs, saturation says nothing."
    alike = [each["slug"] for each in found if each["noise"] is not None and not each["corruption"]]
    if alike:
        yield f"All pairs are corrupted alike in {', '.join(alike)}: nothing to compare."
    trained_noisy = [each["slug"] for each in found if each["noise"] and not each["noise"].startswith("none")]
    if (options.corrupt or options.claims) and trained_noisy:
        instead = "so not corrupted once more" if options.corrupt else "which is compared and not claims"
        yield f"Trained under noise, {instead}: {', '.join(trained_noisy)}."


LONGEST = 60  # characters of a title


def heat_maps(reading: Reading, pairs: Pairs, parts: Sequence[str], chosen: HeatMapUsers) -> list[HeatMap]:
    """Heat maps of named users, then of drawn ones; UnknownNameError for an id that the split lacks."""
    ids = read_user_ids(reading.folder)
    names = _names(reading)
    found = []
    for user in _users(ids, pairs, chosen):
        rows = pairs.of_user(user)
        weights = pairs.weights[rows].T.round(DIGITS)
        items = [names[item] for item in pairs.items[rows].tolist()]
        found.append(HeatMap(user=ids[user], items=items, parts=list(parts), weights=weights.tolist()))
    return found


def _users(ids: Sequence[str], pairs: Pairs, chosen: HeatMapUsers) -> list[int]:
    places = {name: place for place, name in enumerate(ids)} if chosen.ids else {}
    named = []
    for name in chosen.ids:
        if name not in places:
            raise UnknownNameError(
                f"no user '{name}'{did_you_mean(name, ids)}", hint="name a user by the dataset's own id"
            )
        named.append(places[name])
    readers, items = np.unique(pairs.users, return_counts=True)
    several = np.setdiff1d(readers[items > 1], named)
    drawn = np.random.default_rng(chosen.seed).choice(
        several, min(chosen.sample, len(several)), replace=False
    )
    return [*dict.fromkeys(named), *np.sort(drawn).tolist()]


def _names(reading: Reading) -> list[str]:
    """Titles, or ids where there is none."""
    table = read_item_table(reading.folder)
    return [
        _cut(title) if title else str(item)
        for title, item in zip(table["title"].to_list(), table["item_id"].to_list(), strict=True)
    ]


def _cut(title: str) -> str:
    plain = " ".join(str(title).split())
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"
