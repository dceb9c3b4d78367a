"""Stages `split` (read, number, filter and audit the interactions) and `candidates` (draw the negatives)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file

from grasp_bench.components import DATASETS
from grasp_bench.core import atomic
from grasp_bench.core.errors import DataError
from grasp_bench.core.hashing import file_hash
from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_split, read_user_ids, write_split
from grasp_bench.data.candidates import draw, smallest_choice
from grasp_bench.data.card import card_of
from grasp_bench.data.prepare import prepare
from grasp_bench.data.splits import Ints, Split, history_within
from grasp_bench.data.splitting import split_by_protocol
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.locations import locate
from grasp_bench.spec.plugins import use_plugin
from grasp_bench.spec.repair import repair_of
from grasp_bench.stages.context import RunContext


class SplitStage:
    """Writes users, items, the three parts and `card.json`."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: counts. Raises DataError for unusable data, LeakError when the audit fails."""
        settings = node.located()
        if "source" in settings:
            use_plugin(DATASETS, settings["source"])
        section = {name: settings[name] for name in Dataset.model_fields if name in settings}
        protocol = {key: settings[key] for key in ("split", "temporal", "cold_items") if key in settings}
        repair = repair_of(settings.get("repair", {}))
        dataset = Dataset.model_validate({**section, "repair": repair, "protocol": protocol})
        _check_unchanged(dataset, settings["files"])
        result = split_by_protocol(prepare(dataset), dataset.protocol)
        prepared, split = result.prepared, result.split
        write_split(out, split, prepared.sequences.user_ids, prepared.items, prepared.users)
        # Audit the files as written, not the split in memory.
        audited = result.check(read_split(out))
        atomic.write_json(out / "card.json", {**card_of(prepared, split), **result.facts})
        context.report(Event(node.label, audited, audited, "interactions"))
        return {
            "users": split.num_users,
            "items": split.num_items,
            "interactions": audited,
            "evaluated_users": len(split.test_users),
            **prepared.users_file,
        }


def _check_unchanged(dataset: Dataset, hashes: Mapping[str, str]) -> None:
    """Raise DataError if a file changed: the artefact's hash stands for the planned content."""
    located = locate(dataset)
    files = located.files
    for kind in dict.fromkeys([*files, *hashes]):
        if (file_hash(files[kind]) if kind in files else None) != hashes.get(kind):
            place = files.get(kind, f"the {kind} file of {dataset.source}")
            raise DataError(f"{place}: changed since the run was planned", hint="run again")


# Redrawn validation negatives come from a pool of this many times their number: the training may not read
# test, so it cannot exclude the user's test item from its own draws.
POOL = 10


class CandidatesStage:
    """Writes `valid.safetensors` and `test.safetensors`, each `negatives` (rows of that part, k) int32.

    If each cell redraws them (`protocol.candidates`), a node writes one of the two: the pool for validation
    (`pool_for`), or the test negatives of one cell (`drawn_for`, a hash of it).
    """

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: rows, negatives. Raises DataError when the catalogue is too small for a user."""
        split = read_split(inputs["split"].path)
        user_ids = read_user_ids(inputs["split"].path)
        if "drawn_for" not in node.settings:
            _save(_for_validation(node.settings, split, user_ids), out / "valid.safetensors")
        if "pool_for" not in node.settings:
            _save(_for_test(node.settings, split, user_ids), out / "test.safetensors")
        rows = len(split.test_users)
        context.report(Event(node.label, rows, rows, "users"))
        return {"rows": rows, "negatives": node.settings["negatives"]}


def _for_validation(settings: Mapping[str, Any], split: Split, user_ids: list[str]) -> Ints:
    outside_known = settings.get("validation_negatives") == "outside_known"
    history, offsets = history_within(split, "train_and_validation" if outside_known else "all")
    wanted = settings["negatives"]
    if "pool_for" in settings:
        most = smallest_choice(split.valid_users, history, offsets, split.num_items)
        wanted = max(wanted, min(POOL * wanted, most))
    # The part's number in the seed gives validation and test different draws.
    seed = [settings["seed"], 0]
    return draw(split.valid_users, history, offsets, split.num_items, wanted, seed, user_ids)


def _for_test(settings: Mapping[str, Any], split: Split, user_ids: list[str]) -> Ints:
    history, offsets = split.whole_history()
    own = [int(settings["drawn_for"], 16)] if "drawn_for" in settings else []
    seed = [settings["seed"], 1, *own]
    return draw(split.test_users, history, offsets, split.num_items, settings["negatives"], seed, user_ids)


def _save(table: Ints, path: Path) -> None:
    save_file({"negatives": table}, path)
