"""The interface and registry of stages, and the machine they run on, which does not change results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from grasp_bench.core.progress import Event, Report
from grasp_bench.core.registry import Registry
from grasp_bench.core.store import Artefact
from grasp_bench.plan.nodes import Node


@dataclass(frozen=True)
class RunContext:
    """Device ("cpu", "cuda:0"), CPU threads, progress callback, MiB per block.

    `ledger` is the file with the answers of paid services; None if no stage calls any.
    """

    device: str
    threads: int
    report: Report
    memory_mb: int = 512
    ledger: Path | None = None

    def progress(self, node: Node, total: int, unit: str) -> Callable[[int], None]:
        """Make a callback that reports how many of `total` are done."""
        return lambda done: self.report(Event(node.label, done, total, unit))


class Stage(Protocol):
    """One kind of node: it reads finished artefacts and writes one."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Write files into `out`; return facts for the sidecar (counts, shapes, recall, …)."""
        ...


STAGES = Registry[type[Stage]](
    "stage",
    {
        "split": "grasp_bench.stages.split:SplitStage",
        "candidates": "grasp_bench.stages.split:CandidatesStage",
        "text": "grasp_bench.stages.text:TextStage",
        "adaptation": "grasp_bench.stages.adaptation:AdaptationStage",
        "embeddings": "grasp_bench.stages.embeddings:EmbeddingsStage",
        "reduction": "grasp_bench.stages.embeddings:ReductionStage",
        "noise": "grasp_bench.stages.noise:NoiseStage",
        "text_noise": "grasp_bench.stages.noise:TextNoiseStage",
        "neighbours": "grasp_bench.stages.neighbours:NeighboursStage",
        "semantic_ids": "grasp_bench.stages.semantic_ids:SemanticIdsStage",
        "train": "grasp_bench.stages.train:TrainStage",
        "rank": "grasp_bench.stages.rank:RankStage",
        "control": "grasp_bench.stages.control:ControlStage",
        "imported": "grasp_bench.stages.imported:ImportedStage",
        "metrics": "grasp_bench.stages.metrics:MetricsStage",
    },
)
