"""Encoders, vector sources and vector services, by the kind that a spec gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from grasp_bench.services.dispatch import ServiceContext

Progress = Callable[[int], None]


class TextEncoder(Protocol):
    """Turns texts into vectors. A text's vector does not depend on the other texts or their order (within
    1e-5 in float32, 5e-3 in bfloat16 and int8)."""

    dim: int
    unit_norm: bool
    facts: dict[str, Any]

    def __init__(self, section: Any, device: str = "cpu", threads: int = 1) -> None: ...

    def encode(self, texts: Sequence[str], progress: Progress = ...) -> np.ndarray:
        """Return vectors (n, dim) float32 in the order of the texts; `progress` receives the number done."""
        ...

    def findings(self, texts: Sequence[str], vectors: np.ndarray) -> dict[str, Any]:
        """Return facts about `vectors` (n, dim) of `texts`; often none."""
        ...


class VectorSource(Protocol):
    """Has vectors by entity id, without texts."""

    def __init__(self, settings: Mapping[str, Any], side: str) -> None: ...

    def vectors(self, ids: Sequence[str]) -> tuple[np.ndarray, dict[str, Any]]:
        """Return vectors (n, D) float32 in the order of the ids, and facts for the sidecar."""
        ...


class VectorService(Protocol):
    """Buys vectors of texts. Each answer is in the ledger before the next request, so no shards are needed
    and a second call sends nothing."""

    unit_norm: bool

    def __init__(self, section: Any, side: str, context: ServiceContext) -> None: ...

    def vectors(self, names: Sequence[str], texts: Sequence[str]) -> tuple[np.ndarray, dict[str, Any]]:
        """Return vectors (n, D) float32 of non-blank texts, and facts with their cost; errors use `names`."""
        ...
