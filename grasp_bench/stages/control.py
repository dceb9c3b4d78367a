"""Stage `control`: rank the test targets by an untrained control."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from grasp_bench.components import CONTROLS
from grasp_bench.core.errors import PluginError, TrainingError
from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.evaluation.chance import check_at_chance
from grasp_bench.evaluation.ranker import (
    FullRanking,
    Queries,
    Ranker,
    Ranks,
    Scorer,
    hidden_pairs,
    pool_sizes,
)
from grasp_bench.plan.nodes import Node
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.model_inputs import held_out_queries
from grasp_bench.stages.rank import store_ranks

CONSTANT = "constant"


class ControlStage:
    """Writes `ranks.parquet` and, with full ranking, `recommendations.safetensors`. Runs on the CPU."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: users ranked, and `test_read`. EvaluationError when constant scores are not at chance."""
        name = node.settings["control"]
        with CONTROLS.blamed(name):
            ranker, control = self.scoring(node, inputs, context)
            queries = ranker.queries
            try:
                sampled, full = store_ranks(ranker, control, node.settings, out)
            except TrainingError as error:  # nothing was trained here
                raise PluginError(f"control '{name}': {error.message}", hint="correct its scores") from None
        if name == CONSTANT:
            _check(queries, sampled, full, control.num_items, node.settings["exclude_history"])
        context.report(Event(node.label, len(queries), len(queries), "users"))
        return {"users": len(queries), "test_read": True}

    def scoring(
        self, node: Node, inputs: Mapping[str, Artefact], context: RunContext
    ) -> tuple[Ranker, Scorer]:
        """Make the ranker of the test targets and the control that scores; exports use it too."""
        torch.set_num_threads(context.threads)
        train, queries = held_out_queries(inputs, "cpu")
        control = CONTROLS.implementation(node.settings["control"]).fit(train, _embeddings(inputs))
        longest = int(queries.offsets.diff().max())  # a control reads histories of any length
        return Ranker(queries, longest, context.memory_mb), control


def _embeddings(inputs: Mapping[str, Artefact]) -> torch.Tensor | None:
    if "item_embeddings" not in inputs:
        return None
    return load_file(inputs["item_embeddings"].file("embeddings.safetensors"))["vectors"]


def _check(
    queries: Queries, sampled: Ranks, full: FullRanking | None, num_items: int, exclude_history: bool
) -> None:
    check_at_chance(sampled, np.full(len(queries), queries.negatives_QK.shape[1] + 1), "sampled")
    if full is not None:
        hidden = hidden_pairs(queries, num_items, exclude_history)
        check_at_chance(full.ranks, pool_sizes(queries, num_items, hidden), "full")
