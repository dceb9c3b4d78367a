"""Seeds and generators for named purposes; the state of a training in one safetensors file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from grasp_bench.core.atomic import fsync_path
from grasp_bench.training.optimizers import Optimizer


def derive_seed(seed: int, *purpose: object) -> int:
    """Derive a 63-bit seed for one purpose, e.g. `derive_seed(42, "epoch", 7, "dropout")`.

    With a seed per epoch, a resumed training draws the same numbers as an uninterrupted one.
    """
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(device: torch.device, seed: int, *purpose: object) -> torch.Generator:
    """Make a generator on the device, seeded for one purpose."""
    return torch.Generator(device).manual_seed(derive_seed(seed, *purpose))


@dataclass
class Progress:
    """The progress of a training: epochs done, and the best validation so far."""

    epoch: int = 0
    best_epoch: int = 0
    best_value: float = -1.0
    stale: int = 0
    seconds: float = 0.0
    log: list[dict[str, float | int]] = field(default_factory=list)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write safetensors atomically."""
    temporary = path.with_suffix(".tmp")
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, dict(metadata))
    fsync_path(temporary)
    os.replace(temporary, path)
    fsync_path(path.parent)


def save_checkpoint(
    path: Path, model: nn.Module, optimizer: Optimizer, best: Mapping[str, Tensor],
    progress: Progress,
) -> None:  # fmt: skip
    """Write all that the next epoch depends on; random generators are derived from the seed instead."""
    tensors = {f"model/{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"best/{name}": value for name, value in best.items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{slot}": torch.as_tensor(value) for slot, value in slots.items()}
    save_tensors(path, tensors, {"progress": json.dumps(asdict(progress))})


def load_checkpoint(
    path: Path, model: nn.Module, optimizer: Optimizer, device: torch.device
) -> tuple[Progress, dict[str, Tensor]] | None:
    """Restore model and optimiser in place; None without a usable checkpoint."""
    if not path.is_file():
        return None
    groups: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
    try:
        with safe_open(path, framework="pt", device=str(device)) as stored:
            progress = Progress(**json.loads(stored.metadata()["progress"]))
            for key in stored.keys():  # noqa: SIM118 (not a dict)
                group, _, name = key.partition("/")
                groups[group][name] = stored.get_tensor(key)
    except (SafetensorError, KeyError, TypeError, ValueError):
        return None
    model.load_state_dict(groups["model"])
    state: dict[str, dict[int, dict[str, Tensor]]] = {"state": {}}
    for name, value in groups["optimizer"].items():
        index, _, slot = name.partition("/")
        state["state"].setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict(state)
    return progress, groups["best"]
