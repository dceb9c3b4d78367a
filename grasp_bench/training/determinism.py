"""Derive seeds and generators for named purposes."""

from __future__ import annotations

import hashlib

import torch


def derive_seed(seed: int, *purpose: object) -> int:
    """Derive a 63-bit seed for one purpose, e.g. `derive_seed(42, "epoch", 7, "dropout")`.

    With a seed per epoch, a resumed training draws the same numbers as an uninterrupted one.
    """
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(device: torch.device, seed: int, *purpose: object) -> torch.Generator:
    """Make a generator on the device, seeded for one purpose."""
    return torch.Generator(device).manual_seed(derive_seed(seed, *purpose))
