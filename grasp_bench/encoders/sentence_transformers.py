"""Encode with a local sentence-transformers model, in token-packed batches, in bfloat16 where native."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from grasp_bench.encoders.packed import PackedTextEncoder
from grasp_bench.encoders.precision import quantise_linear_layers, resolve_dtype, sampled_overlap
from grasp_bench.encoders.pretrained import (
    LibraryModel,
    MeanPooledTransformer,
    is_mean_pooled,
    locate_model,
    weights_digest,
)
from grasp_bench.encoders.sentence_transformers_settings import SentenceTransformers

CPU_BATCH_TOKENS = 1024  # fits the caches; larger batches are slower
GPU_BATCH_TOKENS = 65_536


class SentenceTransformersTextEncoder(PackedTextEncoder):
    """Runs a sentence-transformers model on texts sorted by length and packed by tokens.

    Texts are truncated to `max_tokens`. With `normalize`, or when the model itself
    normalises, vectors have unit norm. Errors: those of `locate_model`, DataError for damaged folders,
    GraspBenchError for int8 on a device other than the CPU.
    """

    def __init__(self, section: SentenceTransformers, device: str = "cpu", threads: int = 1) -> None:
        self._dtype = resolve_dtype(section.dtype, device)
        folder = locate_model(section.model)
        load = MeanPooledTransformer if is_mean_pooled(folder) else LibraryModel
        self._section = section
        self._model: Any = load(folder, section.max_tokens, device)
        self._device = device
        default = CPU_BATCH_TOKENS if device == "cpu" else GPU_BATCH_TOKENS
        super().__init__(section.batch_tokens or default, threads)
        self.dim: int = self._model.dim
        self.unit_norm: bool = section.normalize or self._model.normalizes
        self.facts: dict[str, Any] = {
            "model": section.model,
            "weights_sha256": weights_digest(folder),
            "dtype": self._dtype,
            "torch": torch.__version__,
        }
        if self._dtype == "int8":
            self.facts["int8_layers"] = quantise_linear_layers(self._model.network)

    def _tokenize(self, texts: Sequence[str]) -> Sequence[Any]:
        return self._model.tokenize(texts)

    def _vectors(self, tokens: Sequence[Any]) -> np.ndarray:
        return self._model.vectors(tokens, torch.bfloat16 if self._dtype == "bfloat16" else None)

    def findings(self, texts: Sequence[str], vectors: np.ndarray) -> dict[str, Any]:
        """Return, for int8, the share of ten nearest neighbours that float32 finds too, on a sample."""
        if self._dtype != "int8":
            return {}
        exact = self._section.model_copy(update={"dtype": "float32"})
        return sampled_overlap(texts, vectors, type(self)(exact, self._device, self._threads).encode)
