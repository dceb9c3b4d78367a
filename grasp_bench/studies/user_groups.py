"""Who belongs to which group, beside a plan's results: boards give groups' figures intervals by it."""

from __future__ import annotations

from pathlib import Path

from grasp_bench.core.errors import DataError
from grasp_bench.core.published import MEMBERS, hash_if_there, read_object
from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.report.study import FILE


def write_user_groups(plan: Plan, store: Store, folder: Path) -> dict[str, str]:
    """Write a file for each protocol of a plan whose split is made; `folder` is `results/<spec>`.

    Returns the hash of each file's bytes by its name, for study.json. A file that is the one study.json knows
    is left alone, so that a finished run loads no arrays; any other is written anew. Raises DamagedError for
    a damaged split, OSError where the folder cannot be written.
    """
    known, files = _known(folder), {}
    for protocol_hash, cell in {cell.protocol_hash: cell for cell in plan.cells}.items():
        name, split = MEMBERS.format(protocol_hash), cell.nodes["split"]
        digest = known.get(name)
        if (digest is None or hash_if_there(folder / name) != digest) and store.has(split.stage, split.hash):
            _write(cell, store, folder)
            digest = hash_if_there(folder / name)
        if digest is not None:
            files[name] = digest
    return files


def _known(folder: Path) -> dict[str, str]:
    try:
        return dict(read_object(folder / FILE).get("files", {}))
    except DataError:  # not there yet, or damaged
        return {}


def _write(cell: Cell, store: Store, folder: Path) -> None:
    from grasp_bench.data.artefacts import read_item_ids, read_split
    from grasp_bench.data.groups import group_members
    from grasp_bench.report.members import write_members

    node = cell.nodes["split"]
    path = store.get(node.stage, node.hash).path
    split, rules = read_split(path), cell.experiment.dataset.protocol.groups
    groups = group_members(split, split.test_users, split.test_items, rules, read_item_ids(path))
    write_members(folder, cell.protocol_hash, split.test_users, groups)
