"""Base of encoders that run a model in this process: batches of about equal tokens, one set of threads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from grasp_bench.encoders.batching import Progress, TextEncoder, batch_by_tokens
from grasp_bench.encoders.precision import torch_threads
from grasp_bench.encoders.vectors import normalize


def ignore_progress(done: int) -> None:
    """Ignore progress."""


class PackedTextEncoder(TextEncoder):
    """Encodes texts that are tokenized once, sorted by length and packed by tokens.

    A subclass sets `dim`, `unit_norm` and `facts`; with `unit_norm` vectors are scaled to length 1.
    """

    def __init__(self, batch_tokens: int, threads: int) -> None:
        self._batch_tokens = batch_tokens
        self._threads = threads

    def encode(self, texts: Sequence[str], progress: Progress = ignore_progress) -> np.ndarray:
        """Return vectors (n, dim) float32 in the order of the texts."""
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        with torch_threads(self._threads):
            tokens = self._tokenize(texts)
            done = 0
            for rows in batch_by_tokens([len(ids) for ids in tokens], self._batch_tokens):
                vectors[rows] = self._vectors([tokens[row] for row in rows])
                done += len(rows)
                progress(done)
        if self.unit_norm:
            normalize(vectors)
        return vectors

    @abstractmethod
    def _tokenize(self, texts: Sequence[str]) -> Sequence[Any]:
        """Return what the model reads of each text; its length is its cost."""

    @abstractmethod
    def _vectors(self, tokens: Sequence[Any]) -> np.ndarray:
        """Return vectors (n, dim) of one batch."""


def padded(tokens: Sequence[Sequence[int]], padding: int, device: str) -> tuple[Tensor, Tensor]:
    """Return ids (B, L) of texts, filled up at their ends, and a mask (B, L) that is true for real tokens."""
    lengths_B = torch.tensor([len(ids) for ids in tokens])
    mask_BL = torch.arange(int(lengths_B.max()))[None, :] < lengths_B[:, None]
    ids_BL = torch.full(mask_BL.shape, padding)
    ids_BL[mask_BL] = torch.tensor([id for ids in tokens for id in ids])
    return ids_BL.to(device), mask_BL.to(device)


def masked_mean(states_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    """Return the mean (B, D) of the states whose mask is true, in float32."""
    total_BD = (states_BLD.float() * mask_BL[:, :, None]).sum(dim=1)
    return total_BD / mask_BL.sum(dim=1, keepdim=True)
