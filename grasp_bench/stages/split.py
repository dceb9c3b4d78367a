"""Stage `split`: read, number, filter, split and audit the interactions of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grasp_bench.core import atomic
from grasp_bench.core.errors import DataError
from grasp_bench.core.hashing import file_hash
from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_split, write_split
from grasp_bench.data.card import card_of
from grasp_bench.data.prepare import prepare
from grasp_bench.data.splitting import split_by_protocol
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.locations import locate
from grasp_bench.spec.repair import repair_of
from grasp_bench.stages.context import RunContext


class SplitStage:
    """Writes users, items, the three parts and `card.json`."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: counts. Raises DataError for unusable data, LeakError when the audit fails."""
        settings = node.located()
        section = {name: settings[name] for name in Dataset.model_fields if name in settings}
        protocol = {key: settings[key] for key in ("split", "temporal") if key in settings}
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
    files = {"interactions": located.interactions, "items": located.items, "users": located.users}
    for kind, path in files.items():
        if (file_hash(path) if path is not None else None) != hashes.get(kind):
            raise DataError(
                f"{path or f'the {kind} file of {dataset.source}'}: changed since the run was planned",
                hint="run again",
            )
