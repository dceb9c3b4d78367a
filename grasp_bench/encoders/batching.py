"""What all encoders share: their interfaces, batches of about equal cost, and shards that survive a kill."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from grasp_bench.core import atomic
from grasp_bench.core.errors import DataError
from grasp_bench.core.hashing import content_hash

if TYPE_CHECKING:
    from grasp_bench.services.dispatch import ServiceContext


Progress = Callable[[int], None]


class TextEncoder(Protocol):
    """Turns texts into vectors. A text's vector does not depend on the other texts or their order (within
    1e-5 in float32, 5e-3 in bfloat16 and int8).

    An encoder of another package derives from it and has at least `dim` and `encode`.

    Attributes:
        dim: number of dimensions, known before anything is encoded.
        unit_norm: every vector has length 1, which is checked.
        facts: what decides the vectors besides the settings, for the sidecar.
    """

    section: Any
    dim: int
    unit_norm: bool = False
    facts: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, section: Any, device: str = "cpu", threads: int = 1) -> None:
        self.section = section

    def encode(self, texts: Sequence[str], progress: Progress = lambda done: None) -> np.ndarray:
        """Return vectors (n, dim) float32 in the order of the texts; `progress` receives the number done."""
        ...

    def findings(self, texts: Sequence[str], vectors: np.ndarray) -> dict[str, Any]:
        """Return facts about `vectors` (n, dim) of `texts`; often none."""
        return {}


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


def distinct(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Return distinct texts, longest first (then alphabetical), and each text's place among them.

    The order depends on the set of texts alone, so that a restart makes the same pieces.
    """
    ordered = sorted(set(texts), key=lambda text: (-len(text), text))
    place = {text: number for number, text in enumerate(ordered)}
    return ordered, np.fromiter((place[text] for text in texts), dtype=np.int64, count=len(texts))


def batch_by_tokens(lengths: Sequence[int], budget: int) -> list[np.ndarray]:
    """Divide texts into batches of at most `budget` tokens, padding included, longest first.

    Returns the rows of each batch; a text longer than the budget is a batch by itself.
    """
    sizes = np.asarray(lengths)
    order = np.argsort(-sizes, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        longest = max(1, int(sizes[order[start]]))
        count = max(1, budget // longest)
        batches.append(order[start : start + count])
        start += count
    return batches


def truncate_to_tokens(text: str, limit: int, count: Callable[[str], int]) -> str:
    """Return the longest prefix, found by bisection, with at most `limit` tokens.

    A text has at most one token per byte, so most texts need no counting.
    """
    if len(text.encode("utf-8", errors="replace")) <= limit or count(text) <= limit:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if count(text[:middle]) <= limit:
            fits = middle
        else:
            too_long = middle
    return text[:fits]


SHARD_TEXTS = 1024


def encode_in_shards(
    encoder: TextEncoder,
    texts: Sequence[str],
    folder: Path,
    progress: Progress,
    shard_texts: int = SHARD_TEXTS,
) -> np.ndarray:
    """Return vectors (n, dim) float32 of all texts; equal texts are encoded once.

    Distinct texts are sorted by length and divided into shards. Finished shards are kept in `folder` under
    the hash of their texts and the encoder's facts, and are not encoded again. `progress` receives the
    number of distinct texts done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ordered, place = distinct(texts)
    vectors = np.empty((len(ordered), encoder.dim), dtype=np.float32)
    for start in range(0, len(ordered), shard_texts):
        shard = ordered[start : start + shard_texts]
        path = folder / f"{content_hash([dict(encoder.facts), shard])}.safetensors"
        found = _read(path, len(shard), encoder.dim)
        if found is None:
            found = encoder.encode(shard, lambda done, start=start: progress(start + done))  # type: ignore[misc]
            if found.shape != (len(shard), encoder.dim):
                raise DataError(
                    f"the encoder gave {found.shape} for {len(shard)} texts of {encoder.dim} dimensions"
                )
            atomic.write_bytes(path, save({"vectors": found}))
        vectors[start : start + len(shard)] = found
        progress(start + len(shard))
    in_order: np.ndarray = vectors[place]
    return in_order


def _read(path: Path, rows: int, dim: int) -> np.ndarray | None:
    """Return a finished shard; None when there is none of the right shape."""
    try:
        with safe_open(path, framework="numpy") as tensors:
            found: np.ndarray = tensors.get_tensor("vectors")
    except (FileNotFoundError, SafetensorError):
        return None
    if found.shape != (rows, dim):
        return None
    return found
