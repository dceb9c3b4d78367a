"""Artefacts to tensors: what the train and rank stages hand to models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from grasp_bench.core.errors import DataError
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_rest, read_train
from grasp_bench.data.splits import TrainPart
from grasp_bench.evaluation.queries import Queries, append_items
from grasp_bench.models.enhancers.base import Knowledge
from grasp_bench.training.sequences import Sequences

KNOWLEDGE_ROLES = ("user_embeddings", "user_neighbours", "item_embeddings", "item_neighbours")


def tensor(values: np.ndarray, device: str) -> Tensor:
    """Integers as int64 on the device: indices are stored narrow and used wide."""
    return torch.from_numpy(values.astype(np.int64)).to(device)


def sequences_of(train: TrainPart, device: str) -> Sequences:
    """The training part on the device."""
    return Sequences(tensor(train.train_items, device), tensor(train.train_offsets, device), train.num_items)


def validation_queries(inputs: Mapping[str, Artefact], device: str) -> tuple[TrainPart, Queries]:
    """Training part and validation queries; opens no file that holds a test item."""
    train = read_train(inputs["split"].path)
    return train, Queries(
        tensor(train.valid_users, device),
        tensor(train.valid_items, device),
        _negatives(inputs["candidates"].file("valid.safetensors"), device),
        tensor(train.train_items, device),
        tensor(train.train_offsets, device),
    )


def held_out_queries(
    inputs: Mapping[str, Artefact], train: TrainPart, users: np.ndarray, items: np.ndarray, device: str
) -> Queries:
    """Test queries: histories are all that happened before the target, the validation item included."""
    rest = read_rest(inputs["split"].path, "valid")
    flat, offsets = append_items(
        tensor(train.train_items, device), tensor(train.train_offsets, device),
        tensor(np.concatenate([train.valid_users, rest.users]), device),
        tensor(np.concatenate([train.valid_items, rest.items]), device),
    )  # fmt: skip
    negatives = _negatives(inputs["candidates"].file("test.safetensors"), device)
    return Queries(tensor(users, device), tensor(items, device), negatives, flat, offsets)


def knowledge(inputs: Mapping[str, Artefact], device: str) -> Knowledge | None:
    """Embeddings and neighbour means of both sides; None for a cell that has none."""
    if not any(role in inputs for role in KNOWLEDGE_ROLES):
        return None
    parts: dict[str, Tensor] = {}
    for side, field in (("user", "users_nD"), ("item", "items_mD")):
        embeddings = inputs[f"{side}_embeddings"].file("embeddings.safetensors")
        neighbours = inputs[f"{side}_neighbours"].file("neighbours.safetensors")
        parts[field] = _load(embeddings, "vectors", device)
        parts[f"similar_{field}"] = _load(neighbours, "pooled", device)
    widths = {name: value.shape[1] for name, value in parts.items()}
    if len(set(widths.values())) != 1:
        raise DataError(
            f"embeddings of users and items differ in width: {widths}",
            mend="embed both sides with the same encoder: attention takes their dot products",
        )
    return Knowledge(**parts)


def _load(path: Path, name: str, device: str) -> Tensor:
    return load_file(path, device=device)[name].float()


def _negatives(path: Path, device: str) -> Tensor:
    return load_file(path, device=device)["negatives"].long()
