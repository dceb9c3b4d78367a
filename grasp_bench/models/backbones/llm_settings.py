"""Settings of the backbone that is a pretrained language model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from grasp_bench.core.model_files import ModelSize, model_size
from grasp_bench.spec.section import BackboneSettings, Space
from grasp_bench.spec.service import LOCAL, weights_of

# Of SmolLM2-135M, for which a model is taken whose files are not at hand.
SMOLLM2 = ModelSize(parameters=134_515_008, layers=30, layer=3_538_944, cached=11_520)
# Time for a parameter and an item of a history, in that of SASRec for an item: for each of the passes
# (forward, gradients of the input, gradients of the weights).
COST, FORWARD, OF_INPUTS, OF_WEIGHTS = 1.8e-6, 1.0, 1.0, 1.0
# Bytes of a parameter: the weights; where they are trained, also gradient, moments, best epoch and copies.
FROZEN_BYTES, TRAINED_BYTES = 4, 28


class LLMSettings(BackboneSettings):
    """Layers of a pretrained causal language model between two projections."""

    implementation = "grasp_bench.models.backbones.llm:LLM"
    space: ClassVar[Space] = {
        "model.embedding_dim": (32, 64, 128), "model.dropout": (0.1, 0.6),
        "model.kept_layers": (1, 2, 4), "model.lora_rank": (0, 8, 32),
    }  # fmt: skip

    model: str = Field(
        "local/smollm2",
        min_length=1,
        description="llm: a causal language model, as local/smollm2, a .gguf file, a folder or a hub's.",
    )
    kept_layers: int | None = Field(4, ge=1, description="llm: how many of its first layers; null for all.")
    frozen: bool = Field(True, description="llm: train no layer, only projections and LoRA.")
    lora_rank: int = Field(0, ge=0, description="llm: rank of LoRA at its linear layers; 0 for none.")
    weights: Literal["pretrained", "random"] = Field(
        "pretrained", description="llm: `random` draws layers of the same shape from the seed."
    )

    def weights_path(self) -> Path | None:
        """Return the file or folder of the weights; None for a model that its name identifies."""
        return weights_of(f"{LOCAL}{self.model.removeprefix(LOCAL)}")

    @classmethod
    def cost_of_token(cls, model: Mapping[str, Any]) -> float:
        """Return the time for an item by the number of parameters that read it."""
        passes = FORWARD + OF_INPUTS + (0.0 if model["frozen"] else OF_WEIGHTS)
        return COST * parameters(model) * passes

    @classmethod
    def memory_mb(cls, model: Mapping[str, Any]) -> float:
        """Return the memory of the weights."""
        return parameters(model) * (FROZEN_BYTES if model["frozen"] else TRAINED_BYTES) / 1e6


def parameters(model: Mapping[str, Any]) -> int:
    """Return the parameters of the layers kept of `model.model`."""
    size = model_size(model["model"].removeprefix(LOCAL)) or SMOLLM2
    return size.layer * min(model["kept_layers"] or size.layers, size.layers)
