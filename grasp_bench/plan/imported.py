"""Make the requests and nodes of runs that a spec imports from other libraries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from grasp_bench.core.errors import SpecError
from grasp_bench.plan.cells import Cell, Request
from grasp_bench.plan.fingerprints import Fingerprint
from grasp_bench.plan.nodes import Node
from grasp_bench.plan.rankings import Ranking, ranking_nodes
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.imported import ImportedRun


def imported(experiment: Experiment, requests: Sequence[Request]) -> Iterator[Request]:
    """Yield a request for each run; SpecError for runs that do not fit the spec's protocol."""
    problems = [
        f"imported[{index}] ({run.name}): {problem}"
        for index, run in enumerate(experiment.imported)
        if (problem := _what_is_wrong(run, experiment)) is not None
    ]
    if problems:
        raise SpecError(problems)
    for run in experiment.imported:
        yield replace(
            requests[0], ablation=None, compared={}, without=frozenset(), noise=None,
            kind="imported", name=run.name, seed=run.seed,
        )  # fmt: skip


def imported_nodes(
    request: Request, nodes: Mapping[str, Node], label: str, fingerprint: Fingerprint
) -> dict[str, Node]:
    """Make the nodes of an imported run; MissingFileError when its file is absent."""
    run = run_of(request)
    settings: dict[str, Any] = {
        "run": fingerprint(Path(run.run)),
        "format": run.read_as,
        "holds": run.holds,
        "absent_up_to": run.absent_up_to,
    }
    measured: dict[str, Any] = {}
    if run.depth is not None:
        settings["depth"] = run.depth
        measured["cutoffs"] = _known_cutoffs(run, request.experiment)
    ranking = Ranking("imported", settings, ("split", "candidates"), measured, {"path": run.run})
    return ranking_nodes(ranking, request.experiment.dataset.protocol, nodes, label)


def run_of(row: Request | Cell) -> ImportedRun:
    """Return the section of the spec that imports a row."""
    named = (row.name, row.seed)
    return next(run for run in row.experiment.imported if (run.name, run.seed) == named)


def _known_cutoffs(run: ImportedRun, experiment: Experiment) -> list[int]:
    cutoffs = experiment.dataset.protocol.cutoffs
    return [k for k in cutoffs if run.depth is None or k <= run.depth]


def _what_is_wrong(run: ImportedRun, experiment: Experiment) -> str | None:
    protocol = experiment.dataset.protocol
    if any(key.partition(".")[0] == "dataset" for key in experiment.compare):
        return "it belongs to one dataset and protocol; leave dataset.* out of compare"
    if run.holds == "top" and not protocol.also_full_ranking:
        return "lists of the best items are measured by full ranking; also_full_ranking is false"
    if run.holds == "candidates" and protocol.candidates == "redrawn":
        return "scores of candidates need stored ones; dataset.protocol.candidates is redrawn"
    if not _known_cutoffs(run, experiment):
        return f"depth {run.depth} is below all of dataset.protocol.cutoffs"
    return None
