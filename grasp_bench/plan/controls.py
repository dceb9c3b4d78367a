"""Make the nodes of cells that train nothing: controls, and runs imported from other libraries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from grasp_bench.components import CONTROLS, ENHANCERS
from grasp_bench.core.errors import SpecError
from grasp_bench.core.hashing import content_hash
from grasp_bench.plan.cells import Cell, Request
from grasp_bench.plan.fingerprints import Fingerprint
from grasp_bench.plan.nodes import Node
from grasp_bench.plan.rankings import Ranking, ranking_nodes
from grasp_bench.plan.semantic_id_nodes import CODES, roles_of_codes
from grasp_bench.spec.controls import SHUFFLED, ImportedRun, controls_asked, reads_embeddings
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.noise import Noise

SHUFFLE = Noise(kind="permute", side="both", rates=(1.0,))


def controls(experiment: Experiment, requests: Sequence[Request]) -> Iterator[Request]:
    """Yield the requests for controls, without noise; those that compute the same are merged later."""
    bases = [_without_noise(request) for request in requests if request.ablation is None]
    reading = [request for request in bases if _enhancer_reads(request)]
    try:
        names = controls_asked(experiment.controls, embeddings=bool(reading))
    except ValueError as error:
        raise SpecError([f"controls: {error}"]) from None
    for name in names:
        if name == SHUFFLED:
            yield from _shuffled(experiment, reading)
        else:
            yield from _untrained(name, reading if reads_embeddings(name) else bases)


def control_nodes(request: Request, nodes: Mapping[str, Node], label: str) -> dict[str, Node]:
    """Make the nodes of an untrained control from those that a training reads."""
    assert request.name is not None
    version = CONTROLS.version(request.name)
    settings = {"control": request.name, **({"plugin": version} if version else {})}
    ranking = Ranking("control", settings, _reads(request))
    return ranking_nodes(ranking, request.experiment.dataset.protocol, nodes, label)


def inputs_of(request: Request, nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """Hashes of an untrained control's inputs, which identify it under one protocol."""
    return tuple(nodes[role].hash for role in _reads(request))


def _reads(request: Request) -> tuple[str, ...]:
    assert request.name is not None
    return ("split", "candidates", *CONTROLS.get(request.name).reads)


def _enhancer_reads(request: Request) -> tuple[str, ...]:
    """Return what a training reads, and what the codes are made of that it reads."""
    roles = request.experiment.model.enhancer_settings().roles()
    return (*roles, *roles_of_codes(request.experiment)) if CODES in roles else roles


def _without_noise(request: Request) -> Request:
    return replace(request, experiment=request.experiment.model_copy(update={"noise": None}), noise=None)


def _untrained(name: str, bases: Sequence[Request]) -> Iterator[Request]:
    """Yield one request for each crossing of compared values, for the first seed only."""
    first = bases[0].seed if bases else None
    for request in bases:
        if request.seed == first and _applies(name, request):
            yield replace(request, kind="control", name=name, seed=None)


def _applies(name: str, request: Request) -> bool:
    return set(CONTROLS.get(name).reads) <= set(_enhancer_reads(request))


def _shuffled(experiment: Experiment, reading: Sequence[Request]) -> Iterator[Request]:
    """Yield base cells of enhancers with `shuffled_control`, on embeddings permuted among entities.

    Each costs a training, so a backbone and enhancer has one per dataset and protocol, with the first value
    of other compared keys, and for the first seed only unless the spec says all.
    """
    seeds = experiment.all_seeds if experiment.control_seeds == "all" else experiment.first_seeds[:1]
    first: dict[tuple[object, ...], Request] = {}
    for request in reading:
        model = request.experiment.model
        if request.seed in seeds and ENHANCERS.get(model.enhancer).shuffled_control:
            dataset = content_hash(request.experiment.dataset.model_dump(mode="json"))
            first.setdefault((dataset, model.backbone, model.enhancer, request.seed), request)
    for request in first.values():
        noisy = request.experiment.model_copy(update={"noise": SHUFFLE})
        yield replace(request, experiment=noisy, ablation=SHUFFLED, kind="control")


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
