"""`grasp-bench export scorer` and `embeddings`: what a trained cell has learned, for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from grasp_bench.cli.findings import plan_of
from grasp_bench.cli.options import DEFAULT_STORE, Overrides, SpecPath, StorePath
from grasp_bench.cli.output import note, say

CellOption = Annotated[str, typer.Option("--cell", metavar="SLUG", help="A trained cell of the spec.")]
OutOption = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to.")]


def scorer(
    spec: SpecPath,
    cell: CellOption,
    out: OutOption,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Write a trained cell as programs that torch runs without this package, and check what they answer."""
    from grasp_bench.core.store import Store
    from grasp_bench.studies.export.scorer import export_scorer
    from grasp_bench.studies.serving import cell_named

    plan = plan_of(spec, overrides, store)
    manifest = export_scorer(cell_named(plan, cell), plan.name, Store(store), out)
    checked = manifest["checked"]
    say(
        f"{out}: {', '.join(sorted(manifest['files']))}; scores of {checked['users']} users are the "
        f"harness's (largest difference {checked['largest_difference']:.1g})"
    )


class Kind(StrEnum):
    """Whose vectors."""

    users = "users"
    items = "items"
    both = "both"


def embeddings(
    spec: SpecPath,
    cell: CellOption,
    out: OutOption,
    kind: Annotated[
        Kind, typer.Option("--kind", help="States of users, vectors of items, or both.")
    ] = Kind.both,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Write what a trained cell has learned of users and items as Parquet, with their ids.

    A user's state is the one behind the training and validation items; the test item is never read.
    """
    from grasp_bench.core.store import Store
    from grasp_bench.studies.export.embeddings import export_embeddings
    from grasp_bench.studies.serving import cell_named

    plan = plan_of(spec, overrides, store)
    for table in export_embeddings(cell_named(plan, cell), plan.name, Store(store), out, kind.value):
        say(f"{table.path}: {table.rows:,} rows of {table.width}")
        if "users_averaged" in table.metadata:
            share = 100 * float(table.metadata["overlap@10"])
            note(
                f"note: users see items differently; written is {table.metadata['vectors']}. Of the model's "
                f"ten best items for a user {share:.0f} % come first by these vectors, too"
            )
