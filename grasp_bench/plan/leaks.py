"""What a cell reads that was made from held-out items, by its spec's own word."""

from __future__ import annotations

from grasp_bench.plan.cells import Cell
from grasp_bench.spec.encoder import PrecomputedEncoder


def marked_leaks(cell: Cell) -> list[str]:
    """The source that says `leaks: mark` and that the cell reads: `text.users (scope: all)`; mostly none."""
    encoder, text = cell.experiment.encoder, cell.experiment.text
    if isinstance(encoder, PrecomputedEncoder):
        name, leaks, scope = "encoder", encoder.leaks, str(encoder.scope)
        reads = any(role.endswith("_embeddings") for role in cell.nodes)
    else:
        name, leaks, scope = "text.users", text.users.leaks, str(text.users.scope)
        reads = "user_text" in cell.nodes
    order = ", of another order" if cell.experiment.dataset.repair.reordering else ""
    return [f"{name} (scope: {scope}{order})"] if reads and leaks == "mark" else []
