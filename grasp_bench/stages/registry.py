"""The registry of stages, imported when a worker first needs one."""

from __future__ import annotations

from grasp_bench.core.registry import Registry
from grasp_bench.stages.context import Stage

STAGES = Registry[type[Stage]](
    "stage",
    {
        "split": "grasp_bench.stages.split:SplitStage",
        "candidates": "grasp_bench.stages.candidates:CandidatesStage",
        "text": "grasp_bench.stages.text:TextStage",
        "embeddings": "grasp_bench.stages.embeddings:EmbeddingsStage",
        "reduction": "grasp_bench.stages.reduction:ReductionStage",
        "noise": "grasp_bench.stages.noise:NoiseStage",
        "text_noise": "grasp_bench.stages.text_noise:TextNoiseStage",
        "neighbours": "grasp_bench.stages.neighbours:NeighboursStage",
        "train": "grasp_bench.stages.train:TrainStage",
        "rank": "grasp_bench.stages.rank:RankStage",
        "control": "grasp_bench.stages.control:ControlStage",
        "imported": "grasp_bench.stages.imported:ImportedStage",
        "metrics": "grasp_bench.stages.metrics:MetricsStage",
    },
)
