"""Who belongs to which group, beside a plan's results: boards give groups' figures intervals by it."""

from __future__ import annotations

from pathlib import Path

from grasp_bench.core.store import Store
from grasp_bench.data.artefacts import read_split
from grasp_bench.data.groups import group_members
from grasp_bench.plan.compile import Plan
from grasp_bench.report.members import write_members


def write_user_groups(plan: Plan, store: Store, folder: Path) -> None:
    """Write a file for each protocol of a plan whose split is made; `folder` is `results/<spec>`.

    Raises StoreError for a damaged split, OSError where the folder cannot be written.
    """
    cells = {cell.protocol_hash: cell for cell in plan.cells}
    for protocol_hash, cell in cells.items():
        node = cell.nodes["split"]
        if store.has(node.stage, node.hash):
            split = read_split(store.get(node.stage, node.hash).path)
            users, items = split.test_users, split.test_items
            groups = group_members(split, users, items, cell.experiment.dataset.protocol.groups)
            write_members(folder, protocol_hash, users, groups)
