"""Options that several commands share, so that they read and behave alike everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SpecPath = Annotated[Path, typer.Argument(metavar="SPEC", help="The YAML file that says what is compared.")]
SpecPaths = Annotated[list[Path], typer.Argument(metavar="SPEC", help="One or more YAML files.")]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Set a dotted key, e.g. --set training.lr=1e-4; may be repeated."
    ),
]
StorePath = Annotated[
    Path,
    typer.Option(
        "--store",
        metavar="FOLDER",
        envvar="GRASP_BENCH_STORE",
        help="Where artefacts and checkpoints are kept.",
    ),
]
ResultsPath = Annotated[
    Path, typer.Option("--results", metavar="FOLDER", help="Where the results of finished cells are kept.")
]

# Defaults of the options above: `def run(spec: SpecPath, store: StorePath = DEFAULT_STORE)`.
DEFAULT_STORE = Path(".grasp_bench")
DEFAULT_RESULTS = Path("results")
