"""Every random draw comes from a seed that names what it is for."""

from __future__ import annotations

import hashlib

import torch


def derive_seed(seed: int, *purpose: object) -> int:
    """A 63-bit seed for one purpose, e.g. `derive_seed(42, "epoch", 7, "dropout")`.

    Deriving per epoch instead of carrying a generator's state over makes a resumed training draw
    what the uninterrupted one would have drawn.
    """
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(device: torch.device, seed: int, *purpose: object) -> torch.Generator:
    """A generator on the device, seeded for one purpose."""
    return torch.Generator(device).manual_seed(derive_seed(seed, *purpose))
