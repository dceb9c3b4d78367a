"""Stage `train`: train one model with early stopping on validation, opening no file with a test item."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from grasp_bench.components import LOSSES
from grasp_bench.core import ranks as metrics
from grasp_bench.core.atomic import write_text
from grasp_bench.core.store import Artefact
from grasp_bench.evaluation.ranker import Ranker
from grasp_bench.models.recommender import build_model
from grasp_bench.plan.nodes import Node
from grasp_bench.plan.source import SOURCE, is_editable, source_of
from grasp_bench.spec.plugins import use_plugin
from grasp_bench.spec.training import Training
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.model_inputs import knowledge, sequences_of, validation_queries
from grasp_bench.training.checkpoint import derive_seed, generator
from grasp_bench.training.loop import Trained, Trainer, Validate


class TrainStage:
    """Writes `model.safetensors` (the best epoch's parameters) and `log.jsonl` (one line an epoch)."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: epochs, best_epoch, best validation value, parameters, training seconds."""
        settings, seed = node.settings["model"], node.settings["seed"]
        if "loss" in node.settings["training"]:
            use_plugin(LOSSES, node.settings["training"]["loss"]["kind"])
        training = Training.model_validate(node.settings["training"])
        torch.set_num_threads(context.threads)
        train, queries = validation_queries(inputs, context.device)
        torch.manual_seed(derive_seed(seed, "initial weights"))
        recommender = build_model(settings, train.num_users, train.num_items, knowledge(inputs, "cpu")).to(
            context.device
        )
        ranker = Ranker(queries, settings["max_len"], context.memory_mb)
        progress = Trainer(
            recommender, sequences_of(inputs, train, context.device), training, seed, settings["max_len"],
            _validation(ranker, training, node), out, context.report, node.label,
        ).fit()  # fmt: skip
        write_text(out / "log.jsonl", "".join(json.dumps(entry) + "\n" for entry in progress.log))
        trained = [p for p in recommender.parameters() if p.requires_grad]
        return {
            "epochs": progress.epoch,
            "best_epoch": progress.best_epoch,
            f"validation_{training.monitor}": progress.best_value,
            "parameters": sum(p.numel() for p in trained),
            "training_seconds": round(progress.seconds, 3),
            **({SOURCE: source_of(settings.get("backbone"), settings["enhancer"])} if is_editable() else {}),
            "stopped": "early" if progress.stale >= training.patience else "max_epochs",
        }


def _validation(ranker: Ranker, training: Training, node: Node) -> Validate:
    """Return the function that computes the monitored metric by the monitored protocol."""
    settings = node.settings["validation"]
    device = ranker.queries.users_Q.device

    def sampled(recommender: Trained, epoch: int) -> float:
        ranks = ranker.sampled(recommender)
        return _mean(training.monitor, ranks.better, ranks.tied, settings["ties"])

    def redrawn(recommender: Trained, epoch: int) -> float:
        draws = generator(device, node.settings["seed"], "validation negatives", node.hash, epoch)
        queries = ranker.queries.redrawn(settings["negatives"], draws)
        ranks = Ranker(queries, ranker.max_len, ranker.memory_mb).sampled(recommender)
        return _mean(training.monitor, ranks.better, ranks.tied, settings["ties"])

    def full(recommender: Trained, epoch: int) -> float:
        ranks = ranker.in_catalogue(recommender, settings["exclude_history"])
        return _mean(training.monitor, ranks.better, ranks.tied, settings["ties"])

    if training.monitor_protocol == "full":
        return full
    return redrawn if "negatives" in settings else sampled


def _mean(metric: str, better: torch.Tensor, tied: torch.Tensor, ties: str) -> float:
    values = metrics.per_user(metric, better.cpu().numpy(), tied.cpu().numpy(), ties)
    return float(values.mean())
