"""Who belongs to which group, beside a plan's results: boards give groups' figures intervals by it."""

from __future__ import annotations

from pathlib import Path

from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.report.cells import MEMBERS


def write_user_groups(plan: Plan, store: Store, folder: Path) -> None:
    """Write a file for each protocol of a plan whose split is made; `folder` is `results/<spec>`.

    A file that is there is left alone: its name is a hash of all that decides its content. So a finished
    run loads no arrays. Raises StoreError for a damaged split, OSError where the folder cannot be written.
    """
    cells = {cell.protocol_hash: cell for cell in plan.cells}
    for protocol_hash, cell in cells.items():
        split = cell.nodes["split"]
        if not (folder / MEMBERS.format(protocol_hash)).is_file() and store.has(split.stage, split.hash):
            _write(cell, store, folder)


def _write(cell: Cell, store: Store, folder: Path) -> None:
    from grasp_bench.data.artefacts import read_split
    from grasp_bench.data.groups import group_members
    from grasp_bench.report.members import write_members

    node = cell.nodes["split"]
    split = read_split(store.get(node.stage, node.hash).path)
    groups = group_members(split, split.test_users, split.test_items, cell.experiment.dataset.protocol.groups)
    write_members(folder, cell.protocol_hash, split.test_users, groups)
