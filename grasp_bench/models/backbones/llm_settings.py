"""Settings of the backbone that is a pretrained language model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from grasp_bench.spec.section import BackboneSettings, Space
from grasp_bench.spec.service import LOCAL, weights_of

SMOLLM2 = {
    "hidden_size": 576, "intermediate_size": 1536, "num_attention_heads": 9, "num_key_value_heads": 3,
    "num_hidden_layers": 30,
}  # fmt: skip
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
    """Return the parameters of the layers kept of `model.model`, by its `config.json` if that is at hand.

    Any other model is taken for SmolLM2. The keys are those of Llama's family.
    """
    sizes = dict(SMOLLM2)
    with suppress(OSError, ValueError):
        found = json.loads(Path(model["model"].removeprefix(LOCAL), "config.json").read_text())
        sizes |= {key: int(found[key]) for key in sizes if isinstance(found.get(key), int)}
    width, heads = sizes["hidden_size"], sizes["num_attention_heads"]
    attention = 2 * width * width * (1 + sizes["num_key_value_heads"] / heads)
    layers = min(model["kept_layers"] or sizes["num_hidden_layers"], sizes["num_hidden_layers"])
    return round(layers * (attention + 3 * width * sizes["intermediate_size"]))
