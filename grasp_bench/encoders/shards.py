"""Encode texts in shards, each kept in a file once it is done, so that a kill loses one shard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from grasp_bench.core import atomic
from grasp_bench.core.errors import DataError
from grasp_bench.core.hashing import content_hash
from grasp_bench.encoders.batching import distinct
from grasp_bench.encoders.contracts import Progress, TextEncoder

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
