"""Run a spec: cells, further seeds until hypotheses are decided, and the files beside the cells."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grasp_bench.core.errors import DamagedError, DataError, StoreError
from grasp_bench.core.published import MEMBERS, hash_if_there, read_object
from grasp_bench.core.store import Artefact, Store
from grasp_bench.engine.publish import identity
from grasp_bench.engine.run import Outcome, RunConfig, run_plan
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.plan.nodes import Node
from grasp_bench.plan.selection import with_seeds
from grasp_bench.report.formatting import flattened
from grasp_bench.report.study import FILE, looks_of, write_study
from grasp_bench.spec.loading import LoadedSpec

NO_TIMES = ("position", "file")  # orders that no time decides


def dataset_cards(plan: Plan, store: Store) -> dict[str, dict[str, Any]]:
    """Map a name to the card that each split has left in the store; splits not made yet have none.

    The name is the dataset's; where the plan splits one dataset in several ways, the settings that
    differ are added: `amazon-beauty (min_user=5)`.
    """
    splits: dict[str, dict[str, Node]] = {}
    for cell in plan.cells:
        split = cell.nodes["split"]
        splits.setdefault(cell.dataset, {})[split.hash] = split
    named = {
        name: node
        for dataset, found in splits.items()
        for name, node in _distinct_names(dataset, list(found.values())).items()
    }
    return {
        name: _card(store.get("split", node.hash))
        for name, node in named.items()
        if store.has("split", node.hash)
    }


def _card(split: Artefact) -> dict[str, Any]:
    """Read a card; one of an earlier version, of data without times, gets its order facts."""
    card: dict[str, Any] = json.loads(split.file("card.json").read_text(encoding="utf-8"))
    if "warnings" in card or card.get("order") not in NO_TIMES:
        return card
    from grasp_bench.data.artefacts import read_item_ids, read_split
    from grasp_bench.data.card import order_facts, order_warnings

    card["item_order"] = order_facts(read_split(split.path), read_item_ids(split.path), None)
    return {**card, "warnings": order_warnings(card)}


def _distinct_names(dataset: str, splits: Sequence[Node]) -> dict[str, Node]:
    """Settings tell the splits of one dataset apart: equal settings are one split."""
    if len(splits) == 1:
        return {dataset: splits[0]}
    settings = [dict(flattened(node.settings)) for node in splits]
    # Hashes of source files are no settings.
    keys = dict.fromkeys(key for each in settings for key in each if key.partition(".")[0] != "files")
    differing = [key for key in keys if len({repr(each.get(key)) for each in settings}) > 1]
    return {
        f"{dataset} ({', '.join(f'{key}={each[key]}' for key in differing if key in each)})": node
        for node, each in zip(splits, settings, strict=True)
    }


def write_user_groups(plan: Plan, store: Store, folder: Path) -> dict[str, str]:
    """Write a file for each protocol of a plan whose split is made; `folder` is `results/<spec>`.

    Returns the hash of each file's bytes by its name, for study.json. A file that is the one study.json knows
    is left alone, so that a finished run loads no arrays; any other is written anew. Raises DamagedError for
    a damaged split, OSError where the folder cannot be written.
    """
    known, files = dict[str, str](), {}
    with suppress(DataError):  # not there yet, or damaged
        known = read_object(folder / FILE).get("files", {})
    for protocol_hash, cell in {cell.protocol_hash: cell for cell in plan.cells}.items():
        name, split = MEMBERS.format(protocol_hash), cell.nodes["split"]
        digest = known.get(name)
        if (digest is None or hash_if_there(folder / name) != digest) and store.has(split.stage, split.hash):
            _write(cell, store, folder)
            digest = hash_if_there(folder / name)
        if digest is not None:
            files[name] = digest
    return files


def _write(cell: Cell, store: Store, folder: Path) -> None:
    from grasp_bench.data.artefacts import read_item_ids, read_split
    from grasp_bench.data.groups import group_members
    from grasp_bench.report.group_membership import write_membership

    node = cell.nodes["split"]
    path = store.get(node.stage, node.hash).path
    split, rules = read_split(path), cell.experiment.dataset.protocol.groups
    groups = group_members(split, split.test_users, split.test_items, rules, read_item_ids(path))
    write_membership(folder, cell.protocol_hash, split.test_users, groups)


@dataclass(frozen=True)
class StudyRun:
    """`planned` is all that the study asks for in the end, `chosen` the part of it that was to be run."""

    planned: Plan
    chosen: Plan
    outcome: Outcome


def run_study(
    loaded: LoadedSpec, whole: Plan, only: str, config: RunConfig, note: Callable[[str], None]
) -> StudyRun:
    """Make the cells whose slug matches `only`; judge, and add seeds to methods of undecided hypotheses.

    Which seeds a method has follows from what was measured, look by look: a run that goes on, or is made
    again, judges the same cells and comes to the same end. A failed cell ends it at the look where it is.
    """
    looks = looks_of(loaded.experiment)
    if not looks:
        return _run(loaded, whole, only, config)
    # Loads arrays, which a finished run of a list of seeds does without.
    from grasp_bench.studies.looks import SeedCounts, judged, look_summary, verdicts

    counts = SeedCounts.at_first(whole, looks)
    while True:
        planned = with_seeds(whole, loaded.experiment, counts.of)
        ran = _run(loaded, planned, only, config)
        if ran.outcome.failed:
            return ran
        judgement = judged(config.results / whole.name)
        further = counts.further(judgement)
        if further == counts:
            for line in verdicts(judgement):
                note(line)
            return ran
        note(look_summary(judgement, counts, further))
        counts = further


def _run(loaded: LoadedSpec, planned: Plan, only: str, config: RunConfig) -> StudyRun:
    chosen = planned.only(only)
    # Before the first cell, so that boards of a stopped run know what was asked; again for the cards.
    with suppress(DamagedError):  # it is set aside now, and made again in the next line
        _write_study(loaded, planned, config)
    outcome = run_plan(chosen, config)
    _write_study(loaded, planned, config)
    return StudyRun(planned, chosen, outcome)


def _write_study(loaded: LoadedSpec, planned: Plan, config: RunConfig) -> None:
    """Write beside the cells what the spec asks, the dataset cards, and who is in which group."""
    store, folder = Store(config.store), config.results / planned.name
    cards = dataset_cards(planned, store)
    try:
        files = write_user_groups(planned, store, folder)
        cells = [identity(cell) for cell in planned.cells]
        write_study(folder, loaded.experiment, cells, cards, loaded.published, files)
    except OSError as error:
        raise StoreError(
            f"{config.results}: cannot be written ({error.strerror or error})", hint="pass --results"
        ) from None
