"""Stage `rank`: the test targets' ranks, for a trained model. The one place where a model meets test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_test, read_train
from grasp_bench.evaluation.ranker import Ranker
from grasp_bench.models.recommender import Recommender
from grasp_bench.plan.nodes import Node
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.model_inputs import held_out_queries, knowledge
from grasp_bench.stages.ranking import store_ranks
from grasp_bench.stages.trained import trained


class RankStage:
    """Writes `ranks.parquet` (counts per user) and, with full ranking, `recommendations.safetensors`."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: users ranked, and `test_read`, the log's record that test was opened here."""
        ranker, recommender = self.scoring(node, inputs, context)
        store_ranks(ranker, recommender, node.settings, out)
        users = len(ranker.queries)
        context.report(Event(node.label, users, users, "users"))
        return {"users": users, "test_read": True}

    def scoring(
        self, node: Node, inputs: Mapping[str, Artefact], context: RunContext
    ) -> tuple[Ranker, Recommender]:
        """What ranks the test targets and by whose scores: for this stage, and for who exports the scores."""
        torch.set_num_threads(context.threads)
        train = read_train(inputs["split"].path)
        users, items = read_test(inputs["split"].path)
        known = knowledge(inputs, "cpu")
        recommender = trained(node.inputs["train"], inputs["train"], train, known, context.device)
        queries = held_out_queries(inputs, train, users, items, context.device)
        max_len = node.inputs["train"].settings["model"]["max_len"]
        return Ranker(queries, max_len, context.memory_mb), recommender
