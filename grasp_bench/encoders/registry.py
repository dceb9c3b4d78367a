"""Encoders, vector sources and vector services by the kind that a spec gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from grasp_bench.core.registry import Registry

if TYPE_CHECKING:
    from grasp_bench.services.dispatch import ServiceContext

Progress = Callable[[int], None]


class TextEncoder(Protocol):
    """Turns texts into vectors: the same text always gives the same vector, whatever else is encoded
    with it and in which order (within 1e-5 in float32, 5e-3 in bfloat16 and int8)."""

    dim: int
    unit_norm: bool
    facts: dict[str, Any]

    def __init__(self, section: Any, device: str = "cpu", threads: int = 1) -> None: ...

    def encode(self, texts: Sequence[str], progress: Progress = ...) -> np.ndarray:
        """Vectors (n, dim) float32 in the order of the texts; `progress` is told how many are done."""
        ...

    def findings(self, texts: Sequence[str], vectors: np.ndarray) -> dict[str, Any]:
        """Facts that are known only once `texts` have become `vectors` (n, dim); often none."""
        ...


class VectorSource(Protocol):
    """Knows vectors by entity, and needs no texts."""

    def __init__(self, settings: Mapping[str, Any], side: str) -> None: ...

    def vectors(self, ids: Sequence[str]) -> tuple[np.ndarray, dict[str, Any]]:
        """Vectors (n, D) float32 in the order of the ids, and facts for the sidecar."""
        ...


class VectorService(Protocol):
    """Buys vectors of texts. What was paid for is in the desk's ledger before anything else is asked, so
    it needs no shards and a second call sends nothing."""

    unit_norm: bool

    def __init__(self, section: Any, side: str, context: ServiceContext) -> None: ...

    def vectors(self, names: Sequence[str], texts: Sequence[str]) -> tuple[np.ndarray, dict[str, Any]]:
        """Vectors (n, D) float32 of non-blank texts, and facts with what they cost; errors use the names."""
        ...


ENCODERS = Registry[type[TextEncoder]](
    "encoder",
    {"sentence_transformers": "grasp_bench.encoders.sentence_transformers:SentenceTransformersTextEncoder"},
)

VECTOR_SOURCES = Registry[type[VectorSource]](
    "vector source", {"precomputed": "grasp_bench.encoders.precomputed:PrecomputedVectors"}
)

VECTOR_SERVICES = Registry[type[VectorService]](
    "vector service", {"litellm": "grasp_bench.encoders.litellm:LiteLLMVectors"}
)
