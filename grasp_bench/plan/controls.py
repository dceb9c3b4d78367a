"""Controls that a spec asks for, made of the cells that it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from grasp_bench.core.errors import SpecError
from grasp_bench.core.hashing import content_hash
from grasp_bench.plan.collapse import Request
from grasp_bench.spec.controls import SHUFFLED
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.model import NEEDS_EMBEDDINGS
from grasp_bench.spec.study import Noise

SHUFFLE = Noise(target="embeddings", kind="permute", side="both", rates=(1.0,))


def shuffled(experiment: Experiment, requests: Sequence[Request]) -> list[Request]:
    """Base cells that read embeddings, on embeddings that are permuted among entities.

    They cost a training each: one backbone and enhancer has one in each dataset and protocol, with the
    first value of whatever else is compared, and only the first seed unless the spec says all.
    """
    if experiment.controls is not None and SHUFFLED not in experiment.controls:
        return []
    seeds = experiment.seeds if experiment.control_seeds == "all" else experiment.seeds[:1]
    first: dict[tuple[object, ...], Request] = {}
    for request in requests:
        model = request.experiment.model
        if request.ablation is None and request.seed in seeds and model.enhancer in NEEDS_EMBEDDINGS:
            dataset = content_hash(request.experiment.dataset.model_dump(mode="json"))
            first.setdefault((dataset, model.backbone, model.enhancer, request.seed), request)
    if not first and experiment.controls is not None:
        raise SpecError(["controls: shuffled needs a compared method that reads embeddings"])
    return [
        replace(
            request,
            experiment=request.experiment.model_copy(update={"noise": SHUFFLE}),
            ablation=SHUFFLED,
            kind="control",
        )
        for request in first.values()
    ]
