"""Settings of small models; their random inputs are those of `grasp_bench.testing`."""

from __future__ import annotations

from pathlib import Path

import torch

from grasp_bench.spec.model import Model
from grasp_bench.testing.histories import (
    DIM,
    NUM_ITEMS,
    NUM_USERS,
    behind,
    random_history,
    random_knowledge,
)

__all__ = [
    "DIM", "NUM_ITEMS", "NUM_USERS", "behind", "model_settings", "random_history", "random_knowledge",
    "saved_llm",
]  # fmt: skip


SIZES = {"hidden_size": 24, "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 11}
SMALL = {"num_key_value_heads": 2, "intermediate_size": 32, "head_dim": 6, "pad_token_id": None}


def saved_llm(folder: Path, kind: str = "llama", **sizes: object) -> str:
    """Save a small language model of a kind that transformers knows, with weights drawn from a seed."""
    from transformers import AutoConfig, AutoModel

    torch.manual_seed(3)
    config = AutoConfig.for_model(kind, **{**SIZES, **({} if kind == "gpt2" else SMALL), **sizes})
    AutoModel.from_config(config).save_pretrained(folder)
    return str(folder)


def model_settings(**changes: object) -> dict[str, object]:
    """Effective settings of a small model; `kept_layers` is read by `llm` alone."""
    small = {"embedding_dim": 8, "max_len": 12, "dropout": 0.3, "kept_layers": 1}
    return Model(**{**small, **changes}).effective()
