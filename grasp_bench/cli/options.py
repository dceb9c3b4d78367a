"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from grasp_bench.api import LEADERBOARD, RESULTS, STORE

if TYPE_CHECKING:
    from grasp_bench.spec.loading import LoadedSpec


class Stand(StrEnum):
    """Datasets that may replace a spec's own."""

    demo = "demo"


Protocol = Literal["full", "sampled"]
TableFormat = Literal["rich", "json"]
DocumentFormat = Literal["rich", "md", "json"]
SpecPath = Annotated[Path, typer.Argument(metavar="SPEC", help="A YAML spec file.")]
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
        help="Use the generated catalogue and a small study, named <name>-demo and marked as a demo.",
    ),
]
StorePath = Annotated[
    Path,
    typer.Option(
        "--store", metavar="FOLDER", envvar="GRASP_BENCH_STORE", help="Folder of artefacts and checkpoints."
    ),
]
ResultsPath = Annotated[
    Path, typer.Option("--results", metavar="FOLDER", help="Folder of the results of finished cells.")
]
LeaderboardPath = Annotated[
    Path, typer.Option("--leaderboard", metavar="FOLDER", help="Folder of rendered boards and studies.")
]
FormatOption = Annotated[TableFormat, typer.Option("--format", help="Tables for people, JSON for programs.")]
DocumentFormatOption = Annotated[
    DocumentFormat, typer.Option("--format", help="Tables for people, Markdown, JSON for programs.")
]
OnlyOption = Annotated[
    str, typer.Option("--only", metavar="GLOB", help="Cells whose slug matches, e.g. '*-grasp-*'.")
]
ResultsOf = Annotated[
    str | None,
    typer.Argument(metavar="[SPEC]", help="A spec's name, its file, or a results folder; the only one."),
]

# Defaults of the options above: `def run(spec: SpecPath, store: StorePath = DEFAULT_STORE)`.
DEFAULT_STORE, DEFAULT_RESULTS, DEFAULT_LEADERBOARD = STORE, RESULTS, LEADERBOARD


def load_for(spec: Path, overrides: list[str], dataset: Stand | None) -> LoadedSpec:
    """Load a spec and check its templates; with `dataset`, on the demo dataset."""
    from grasp_bench import api

    return api.load(spec, overrides, demo=dataset is not None)
