"""Codes that say nothing of an item: drawn at random, or hashed from its id."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import torch

from grasp_bench.semantic_ids.base import Items, Quantised, Quantiser
from grasp_bench.spec.section import SemanticIdSettings


class RandomCodes(Quantiser[SemanticIdSettings]):
    """Each code is drawn uniformly."""

    def quantise(
        self, items: Items, generator: torch.Generator, progress: Callable[[int, int], None]
    ) -> Quantised:
        """Draw the codes of all items."""
        shape = (len(items), self.settings.levels)
        return Quantised(torch.randint(self.settings.codebook_size, shape, generator=generator))


class HashCodes(RandomCodes):
    """Each code is 64 bits of the id's BLAKE2b, modulo the number of codes."""

    def quantise(
        self, items: Items, generator: torch.Generator, progress: Callable[[int, int], None]
    ) -> Quantised:
        """Hash the ids of all items."""
        digests = b"".join(
            hashlib.blake2b(f"{self.settings.seed} {level} {each}".encode(), digest_size=8).digest()
            for each in items.ids
            for level in range(self.settings.levels)
        )
        numbers = np.frombuffer(digests, dtype="<u8") % self.settings.codebook_size
        return Quantised(torch.from_numpy(numbers.astype(np.int64)).view(len(items), -1))
