"""Options that several commands share, so that they read and behave alike everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grasp_bench.api import LEADERBOARD, RESULTS, STORE

if TYPE_CHECKING:
    from grasp_bench.spec.loading import LoadedSpec


class Stand(StrEnum):
    """What may stand in for a spec's own dataset."""

    demo = "demo"


class TableFormat(StrEnum):
    """How most findings are printed."""

    rich = "rich"
    json = "json"


SpecPath = Annotated[Path, typer.Argument(metavar="SPEC", help="The YAML file that says what is compared.")]
SpecPaths = Annotated[list[Path], typer.Argument(metavar="SPEC", help="One or more YAML files.")]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Set a dotted key, e.g. --set training.lr=1e-4; may be repeated."
    ),
]
DatasetOption = Annotated[
    Stand | None,
    typer.Option(
        "--dataset",
        help="Instead of the spec's: the generated catalogue, quickly, as <name>-demo and marked as such.",
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
LeaderboardPath = Annotated[
    Path, typer.Option("--leaderboard", metavar="FOLDER", help="Where boards and studies are rendered to.")
]
FormatOption = Annotated[TableFormat, typer.Option("--format", help="Tables for people, JSON for programs.")]

# Defaults of the options above: `def run(spec: SpecPath, store: StorePath = DEFAULT_STORE)`.
DEFAULT_STORE, DEFAULT_RESULTS, DEFAULT_LEADERBOARD = STORE, RESULTS, LEADERBOARD


def load_for(spec: Path, overrides: list[str], dataset: Stand | None) -> LoadedSpec:
    """Load the spec and check its templates; with `dataset` on the demo dataset instead of its own."""
    from grasp_bench import api

    return api.load(spec, overrides, demo=dataset is not None)
