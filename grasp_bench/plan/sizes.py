"""How large the data of a plan are: as their splits say, else guessed from the beginning of the file."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean

from grasp_bench.components import DATASETS
from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.integrity import sidecar_if_whole
from grasp_bench.core.store import Store
from grasp_bench.core.tables.layout import TEXT, Layout, fields, layout_of
from grasp_bench.core.tables.text_files import DAMAGED, bare_name, is_packed, opened
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.format import Format
from grasp_bench.spec.locations import locate

BEGINNING = 1 << 19  # bytes of a file that are looked at
LINE = 20.0  # bytes of an interaction in a file that shows no lines
PACKED = 4.0  # compression by gzip or Parquet
# Of the public sets that the sizes were first measured on.
INTERACTIONS_PER_USER = 8.0
ITEMS_PER_INTERACTION = 0.08
ITEMS_IN_SAMPLE = 0.3  # a sample of the users with this share of interactions has share ** 0.3 of the items


@dataclass(frozen=True)
class Sizes:
    """Users, items and interactions after filters."""

    users: float
    items: float
    interactions: float


DEMO = Sizes(1_500, 600, 15_000)


def sizes_of(plan: Plan, store: Store) -> dict[str, Sizes]:
    """Map the hash of each split to its sizes; nothing but sidecars and beginnings of files is read."""
    found: dict[str, Sizes] = {}
    for cell in plan.cells:
        split = cell.nodes["split"]
        if split.hash not in found:
            found[split.hash] = sizes_in(store, split.hash) or _guessed(cell)
    return found


def sizes_in(store: Store, split: str) -> Sizes | None:
    """Return the sizes that a finished split states."""
    facts = (sidecar_if_whole(store.folder("split", split)) or {}).get("facts", {})
    counts = [facts.get(key) for key in ("users", "items", "interactions")]
    return (
        Sizes(*map(float, counts)) if all(isinstance(count, int) and count > 0 for count in counts) else None
    )


def split_of(node: Node) -> Node:
    """Return the split that a node is made from, or the node itself."""
    return node if node.stage == "split" else next(n for n in node.ancestors() if n.stage == "split")


def _guessed(cell: Cell) -> Sizes:
    dataset = cell.experiment.dataset
    path = None if dataset.source in DATASETS else locate(dataset).interactions
    whole = DEMO if path is None else _in_file(path, dataset)
    if dataset.sample_users is None or dataset.sample_users >= whole.users:
        return whole
    share = dataset.sample_users / whole.users
    return Sizes(dataset.sample_users, whole.items * share**ITEMS_IN_SAMPLE, whole.interactions * share)


def _in_file(path: Path, dataset: Dataset) -> Sizes:
    size = path.stat().st_size
    line, lengths = LINE, list[int]()
    with suppress(GraspBenchError, OSError, LookupError, *DAMAGED):
        line, lengths = _beginning(path, dataset.format, dataset.columns.user, size)
    lines = max(1.0, size * (PACKED if is_packed(path) or path.suffix == ".parquet" else 1.0) / line)
    kept = [length for length in lengths if length >= dataset.min_user]
    each = fmean(kept) if kept else INTERACTIONS_PER_USER
    interactions = lines * sum(kept) / sum(lengths) if kept else lines
    return Sizes(interactions / each, interactions * ITEMS_PER_INTERACTION, interactions)


def _beginning(path: Path, form: Format, user: str, size: int) -> tuple[float, list[int]]:
    """Return bytes of an interaction, and the number of each user's if they stand together.

    Raises DataError, ValueError and what reading raises for a file without such lines.
    """
    with opened(path) as stream:
        head = stream.read(BEGINNING)
    lines = head.decode(form.encoding, "replace").splitlines()
    whole = len(head) < BEGINNING
    length = len(head) / max(1, len(lines))
    suffix = Path(bare_name(path)).suffix.lower()
    if suffix not in TEXT:
        return length, []
    asked = Layout(form.character, form.header, form.encoding, form.quotes, form.user_lines)
    layout = layout_of(path, suffix, asked)
    rows = fields(lines if whole else lines[:-1], layout.separator or ",")
    if layout.user_lines:
        lengths = [len(row) - 1 for row in rows]
        return len(head) / max(1, sum(lengths)), lengths
    names = [name.partition(":")[0] for name in layout.header or rows.pop(0)]
    if user not in names:
        return length, []
    column = names.index(user)
    runs = [(key, len(list(run))) for key, run in groupby(row[column] for row in rows)]
    together = len({key for key, _ in runs}) == len(runs)
    return length, [count for _, count in (runs if whole else runs[:-1])] if together else []
