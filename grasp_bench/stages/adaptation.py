"""Stage `adaptation`: train LoRA weights of the encoder's language model on the texts it will encode."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from grasp_bench.core.store import Artefact
from grasp_bench.encoders.causal_lm_settings import CausalLM
from grasp_bench.encoders.mntp import train_adapter
from grasp_bench.encoders.vectors import encoder_input
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.choices import encoder_of
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.embeddings import PREFIX


class AdaptationStage:
    """Writes `adapter_model.safetensors`, `adapter_config.json` (as peft does) and `log.jsonl`.

    Resumes from a checkpoint after a crash.
    """

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: texts, parameters, losses of the first and last steps."""
        section = encoder_of(node.located()["encoder"])
        assert isinstance(section, CausalLM)
        assert section.adapt is not None
        texts: list[str] = []
        for side, prefix in PREFIX.items():
            table = pl.read_parquet(inputs[f"{side[:-1]}_text"].file("texts.parquet"), glob=False)
            told = (table[column].to_list() for column in ("id", "text"))
            texts += encoder_input(getattr(section, prefix), side, *told).texts
        progress = context.progress(node, section.adapt.steps, "steps")
        return train_adapter(section, texts, out, context.device, context.threads, progress)
