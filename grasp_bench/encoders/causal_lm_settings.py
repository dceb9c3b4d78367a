"""Settings of the encoder `causal_lm`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from grasp_bench.spec.encoder import TextEncoderSettings
from grasp_bench.spec.section import Section
from grasp_bench.spec.service import LOCAL, weights_of

TWO_WAY = "bidirectional_mean"
ADAPTER = "adapter_model.safetensors"  # peft's own name


class Adaptation(Section):
    """Training of LoRA weights on the texts of users and items, before anything is encoded.

    `mntp` is masked next token prediction, the first step of LLM2Vec (arXiv 2404.05961): attention goes both
    ways, and a masked token is predicted from the state of the token before it.
    """

    objective: Literal["mntp"] = "mntp"
    steps: int = Field(200, ge=1)
    batch_tokens: int = Field(512, ge=16, description="Tokens of a step, padding included.")
    lora_rank: int = Field(16, ge=1)
    lr: float = Field(5e-4, gt=0, description="Of the first step; falls linearly to 0.")
    mask_share: float = Field(0.2, gt=0, lt=1, description="Share of tokens that are predicted.")
    seed: int = Field(0, ge=0)


class CausalLM(TextEncoderSettings):
    """Hidden states of a causal language model in this process.

    Names of models are those of `text.*.model: local/…`.
    """

    implementation = "grasp_bench.encoders.causal_lm:CausalLMTextEncoder"
    unhashed: ClassVar[tuple[str, ...]] = ("batch_tokens",)
    text_cost: ClassVar[float] = 40.0  # SmolLM2, all layers

    kind: Literal["causal_lm"] = "causal_lm"
    model: str = Field(
        "local/smollm2", min_length=1, description="local/smollm2, a .gguf file, a folder or a hub's model."
    )
    pooling: Literal["mean", "last", "bidirectional_mean"] = Field(
        "mean",
        description="Mean over the tokens, the last one, or the mean with attention to later tokens as well.",
    )
    layers: int | Annotated[tuple[int, int], Field(description="First and last of a range.")] = Field(
        -1, description="Hidden state to pool, or [first, last] of those whose mean is pooled. 0: the token "
        "embeddings; 1: the first layer's output; -1: the last layer's. Layers above are not computed.",
    )  # fmt: skip
    max_tokens: int = Field(256, ge=8)
    batch_tokens: int | None = Field(
        None, ge=64, description="Tokens per batch, padding included; by default what suits the device."
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Of the weights. auto: bfloat16 where the device multiplies it natively."
    )
    normalize: bool = True
    adapt: Adaptation | None = None

    @model_validator(mode="after")
    def _adapted_model_looks_both_ways(self) -> CausalLM:
        if self.adapt is not None and self.pooling != TWO_WAY:
            raise ValueError(
                f"encoder.adapt trains attention to later tokens: set pooling: {TWO_WAY}, or leave adapt out"
            )
        return self

    def weights(self) -> Path | None:
        """Return the file or folder of the model; None for a model that its name identifies."""
        return weights_of(LOCAL + self.model.removeprefix(LOCAL))
