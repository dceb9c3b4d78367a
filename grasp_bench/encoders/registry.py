"""Encoders and vector sources by the kind that a spec gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from grasp_bench.core.registry import Registry

Progress = Callable[[int], None]


class TextEncoder(Protocol):
    """Turns texts into vectors: the same text always gives the same vector, whatever else is encoded
    with it and in which order (within 1e-5 in float32, 5e-3 in bfloat16)."""

    dim: int
    unit_norm: bool
    facts: dict[str, Any]

    def __init__(self, section: Any, device: str = "cpu", threads: int = 1) -> None: ...

    def encode(self, texts: Sequence[str], progress: Progress = ...) -> np.ndarray:
        """Vectors (n, dim) float32 in the order of the texts; `progress` is told how many are done."""
        ...


class VectorSource(Protocol):
    """Knows vectors by entity, and needs no texts."""

    def __init__(self, settings: Mapping[str, Any], side: str) -> None: ...

    def vectors(self, ids: Sequence[str]) -> tuple[np.ndarray, dict[str, Any]]:
        """Vectors (n, D) float32 in the order of the ids, and facts for the sidecar."""
        ...


ENCODERS = Registry[type[TextEncoder]](
    "encoder",
    {"sentence_transformers": "grasp_bench.encoders.sentence_transformers:SentenceTransformersTextEncoder"},
)

VECTOR_SOURCES = Registry[type[VectorSource]](
    "vector source", {"precomputed": "grasp_bench.encoders.precomputed:PrecomputedVectors"}
)
