"""The variants of a protocol audit: one spec under several protocols, and under each hazard alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from grasp_bench.core.errors import DataError, SpecError
from grasp_bench.encoders.precomputed_settings import PrecomputedEncoder
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.plan.fingerprints import Fingerprint
from grasp_bench.plan.selection import plan_of, with_model_of
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.loading import LoadedSpec, load
from grasp_bench.spec.protocols import PAPER, PROTOCOLS
from grasp_bench.text.precomputed_settings import PrecomputedText

BASE = "strict"  # the hazards are switched on alone over this
FULL = "dataset.protocol.also_full_ranking"  # stored by every variant, whichever of the two it ranks by


@dataclass(frozen=True)
class Hazard:
    """One key of the published protocol, and the figure that it changes.

    `measured_on`: the models of the strict variant (`same models`), models trained again because the hazard
    changes their training (`trained again`), or other histories, on which controls differ too (`other
    histories`). `other_course`: with it a seed trains in another way; a hazard that only changes the
    choice of the epoch keeps the luck of a seed. `in_strict`: the strict protocol has the hazard too, so its
    variant is the one without. `why_not` says why nothing is measured, `left_out` which methods are left out.
    """

    key: str
    title: str
    ranking: str
    group: str = "overall"
    measured_on: Literal["same models", "trained again", "other histories"] = "same models"
    other_course: bool = False
    in_strict: bool = False
    why_not: str = ""
    left_out: str = ""

    @property
    def name(self) -> str:
        """Short, for folders and tables."""
        return self.key.rpartition(".")[2]


HAZARDS = (
    Hazard(
        "model.causal",
        "a position of SASRec sees what it must predict",
        "full",
        measured_on="trained again",
        other_course=True,
    ),
    Hazard("dataset.protocol.candidates", "every method has its own negatives", "sampled"),
    Hazard("dataset.protocol.groups.count_on", "held-out items count as popularity", "full", "tail_item"),
    Hazard("dataset.protocol.groups.first_user", "item groups leave out the first user", "full", "tail_item"),
    Hazard("dataset.protocol.ties", "the target comes first among its ties", "full"),
    Hazard(FULL, "100 negatives stand for the catalogue", "sampled"),
    Hazard(
        "dataset.protocol.validation_negatives",
        "early stopping never sees the test item as a negative",
        "full",
        measured_on="trained again",
    ),
)  # fmt: skip
# Both protocols keep the file's order, for no publisher gives another: its variant is the one without.
ORDER = Hazard(
    "dataset.repair.time_ties",
    "items of one time stand in the file's order",
    "full",
    measured_on="other histories",
    other_course=True,
    in_strict=True,
)
NO_TIES = "no equal times, and ids ascend by chance: there is nothing to shuffle"
OLD_USERS = "methods that read vectors or texts of users, which were made from the file's order"
NUMBERED = (
    "no equal times, and ids are numbers in the order of the file, which tell of none: nothing to shuffle"
)
SHUFFLED = "the spec itself gives another order than the file's"


@dataclass(frozen=True)
class Variant:
    """One way of measuring: a plan, what it was compiled from, and the ranking that decides there.

    `fixed` are the keys of its protocol that the spec itself gives, alike in all variants.
    """

    name: str
    experiment: Experiment
    plan: Plan
    ranking: str
    fixed: tuple[str, ...] = ()


def protocol_variants(
    spec: Path, overrides: Sequence[str], names: Sequence[str], fingerprint: Fingerprint
) -> list[Variant]:
    """Compile the spec under each named protocol; the published one comes first, if it is among `names`."""
    return [_variant(spec, overrides, name, fingerprint) for name in names]


def hazard_variants(
    spec: Path, overrides: Sequence[str], base: Variant, fingerprint: Fingerprint
) -> Iterator[tuple[Hazard, Variant | None]]:
    """Switch each hazard on alone over the strict variant; only the cells whose figures change.

    None stands for the hazard that only reads the strict ranks in another way. `ORDER` comes last, with the
    key that fits the data.
    """
    known = {cell.slug: cell for cell in base.plan.cells}
    for hazard in HAZARDS:
        if hazard.key == FULL:
            yield hazard, None
            continue
        patch = f"{hazard.key}={json.dumps(PAPER[hazard.key])}"
        loaded = _loaded(spec, [*overrides, patch], BASE)
        cells = compile_plan(loaded.experiment, fingerprint).cells
        if hazard.measured_on == "trained again":
            cells = tuple(cell for cell in cells if "train" in cell.nodes)
        else:
            cells = tuple(with_model_of(known[cell.slug], cell) for cell in cells)
        changed = [cell for cell in cells if cell.hash != known[cell.slug].hash]
        name = f"{base.experiment.name}/{hazard.name}"
        yield hazard, Variant(hazard.name, loaded.experiment, plan_of(name, changed), hazard.ranking)
    yield _order_variant(spec, overrides, base, fingerprint)


def _order_variant(
    spec: Path, overrides: Sequence[str], base: Variant, fingerprint: Fingerprint
) -> tuple[Hazard, Variant]:
    """The strict variant on histories in shuffled order; without cells where no order differs.

    Methods that read vectors or texts of users made from the file's order are left out: these may reveal
    held-out items.
    """
    hazard, experiment = order_hazard(base.experiment.dataset), base.experiment
    cells: tuple[Cell, ...] = ()
    if not hazard.why_not:
        marks = _marks_of_users(base.experiment)
        patches = (f"{hazard.key}=shuffle", *marks)
        experiment = _loaded(spec, [*overrides, *patches], BASE).experiment
        cells = compile_plan(experiment, fingerprint).cells
        if marks:
            hazard = replace(hazard, left_out=OLD_USERS)
            cells = tuple(cell for cell in cells if not any(role.startswith("user_") for role in cell.nodes))
    plan = plan_of(f"{base.experiment.name}/{hazard.name}", cells)
    return hazard, Variant(hazard.name, experiment, plan, hazard.ranking)


def _marks_of_users(experiment: Experiment) -> tuple[str, ...]:
    """Overrides that allow users' vectors or texts made from the file's order."""
    if isinstance(experiment.encoder, PrecomputedEncoder):
        return ("encoder.leaks=mark",)
    return ("text.users.leaks=mark",) if isinstance(experiment.text.users, PrecomputedText) else ()


def order_hazard(dataset: Dataset) -> Hazard:
    """`ORDER` by the key that shuffles these data: ties where times are equal, runs where ids ascend."""
    from grasp_bench.data.card import card_of_dataset

    if dataset.repair.reordering is not None:
        return replace(ORDER, why_not=SHUFFLED)
    card = card_of_dataset(dataset)
    if card["time_ties"]["interactions"]:
        return ORDER
    if card["item_order"]["tied"] is None and card["warnings"]:
        return replace(ORDER, key="dataset.repair.ascending_runs")
    return replace(ORDER, why_not=NUMBERED if card["item_order"]["numbered_by_appearance"] else NO_TIES)


def protocols_that_fit(spec: Path, overrides: Sequence[str]) -> list[str]:
    """List paper and strict, and temporal unless the spec or the data do not allow it."""
    from grasp_bench.data.prepare import prepare
    from grasp_bench.data.splitting import split_by_protocol

    names = ["paper", BASE]
    try:
        dataset = _loaded(spec, overrides, "temporal").experiment.dataset
        split_by_protocol(prepare(dataset), dataset.protocol)
    except (DataError, SpecError):  # what else is wrong with the spec, the other two tell
        return names
    return [*names, "temporal"]


def _variant(spec: Path, overrides: Sequence[str], name: str, fingerprint: Fingerprint) -> Variant:
    loaded = _loaded(spec, overrides, name)
    plan = compile_plan(loaded.experiment, fingerprint)
    placed = plan_of(f"{plan.name}/{name}", plan.cells)
    said = (key for key in PROTOCOLS[name] if not loaded.sources[key].startswith("protocol "))
    fixed = tuple(key for key in said if key != FULL)
    return Variant(name, loaded.experiment, placed, "full" if PROTOCOLS[name][FULL] else "sampled", fixed)


def _loaded(spec: Path, overrides: Sequence[str], protocol: str) -> LoadedSpec:
    """Load the spec under a protocol, with its first seeds alone: all variants have the same."""
    loaded = load(spec, [*overrides, f"protocol={protocol}", f"{FULL}=true"])
    return replace(loaded, experiment=loaded.experiment.with_first_seeds())
