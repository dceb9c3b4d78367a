"""Turn artefacts into tensors and models for the stages that train and rank."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from grasp_bench.components import ENHANCERS
from grasp_bench.core.errors import DataError
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_rest, read_test, read_train
from grasp_bench.data.splits import TrainPart
from grasp_bench.evaluation.ranker import Queries, append_items
from grasp_bench.models.enhancers.base import Codes, Knowledge
from grasp_bench.models.generative.base import WholeModel
from grasp_bench.models.recommender import Recommender, build_model
from grasp_bench.plan.nodes import Node
from grasp_bench.training.loop import MODEL
from grasp_bench.training.sequences import Sequences

# For each role of an artefact, the file and tensor of each field of `Knowledge`.
KNOWLEDGE = {
    "user_embeddings": {"users_nD": ("embeddings.safetensors", "vectors")},
    "user_neighbours": {
        "similar_users_nD": ("neighbours.safetensors", "pooled"),
        "nearest_users_nN": ("neighbours.safetensors", "indices"),
    },
    "item_embeddings": {"items_mD": ("embeddings.safetensors", "vectors")},
    "item_neighbours": {"similar_items_mD": ("neighbours.safetensors", "pooled")},
}


def tensor(values: np.ndarray, device: str) -> Tensor:
    """Move integers to the device as int64: indices are stored narrow and used wide."""
    return torch.from_numpy(values.astype(np.int64)).to(device)


def sequences_of(inputs: Mapping[str, Artefact], train: TrainPart, device: str) -> Sequences:
    """Move the training part to the device."""
    items, offsets = tensor(train.train_items, device), tensor(train.train_offsets, device)
    tied = None if train.train_tied is None else torch.from_numpy(train.train_tied).to(device)
    return Sequences(items, offsets, train.num_items, _readers(inputs, train, device), tied)


def validation_queries(inputs: Mapping[str, Artefact], device: str) -> tuple[TrainPart, Queries]:
    """Read the training part and validation queries, without opening a file that holds a test item."""
    train = read_train(inputs["split"].path)
    return train, Queries(
        tensor(train.valid_users, device),
        tensor(train.valid_items, device),
        _negatives(inputs["candidates"].file("valid.safetensors"), device),
        tensor(train.train_items, device),
        tensor(train.train_offsets, device),
        _readers(inputs, train, device),
    )


def held_out_queries(inputs: Mapping[str, Artefact], device: str) -> tuple[TrainPart, Queries]:
    """Read the training part and test queries, whose histories are all items before the target."""
    train, (users, items) = read_train(inputs["split"].path), read_test(inputs["split"].path)
    flat, offsets, readers = histories(inputs, train, device)
    negatives = _negatives(inputs["candidates"].file("test.safetensors"), device)
    return train, Queries(tensor(users, device), tensor(items, device), negatives, flat, offsets, readers)


def histories(
    inputs: Mapping[str, Artefact], train: TrainPart, device: str
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Histories before the test targets: flat items, offsets (n + 1,), and the profile that reads each item.

    The latter is None for the user's final profile. Opens no file that holds a test item.
    """
    rest = read_rest(inputs["split"].path, "valid")
    known, starts = tensor(train.train_items, device), tensor(train.train_offsets, device)
    later_users = tensor(np.concatenate([train.valid_users, rest.users]), device)
    later_items = tensor(np.concatenate([train.valid_items, rest.items]), device)
    flat, offsets = append_items(known, starts, later_users, later_items)
    readers = _readers(inputs, train, device)
    if readers is not None:  # final profiles read the items after training
        readers = append_items(readers, starts, later_users, later_users)[0]
    return flat, offsets, readers


def knowledge(inputs: Mapping[str, Artefact], device: str) -> Knowledge | None:
    """Load the embeddings and neighbours that the cell's enhancer reads; None if it reads none."""
    parts: dict[str, Tensor] = {}
    for role, fields in KNOWLEDGE.items():
        if role in inputs:
            for field, (file, name) in fields.items():
                parts[field] = _load(inputs[role].file(file), name, device)
    codes = _codes(inputs["item_codes"]) if "item_codes" in inputs else None
    widths = {name: part.shape[1] for name, part in parts.items() if part.is_floating_point()}
    if len(set(widths.values())) > 1:
        raise DataError(
            f"embeddings of users and items differ in width: {widths}",
            hint="embed both sides with the same encoder: attention takes their dot products",
        )
    return Knowledge(**parts, codes=codes, prefixes=_prefixes(inputs)) if parts or codes else None


def _codes(artefact: Artefact) -> Codes:
    found = load_file(artefact.file("codes.safetensors"))
    return Codes(found["codes"].long(), tuple(found["sizes"].tolist()))


def _prefixes(inputs: Mapping[str, Artefact]) -> int:
    """Number of profiles of training positions after those of users."""
    found = inputs.get("user_neighbours")
    return int(found.sidecar["facts"].get("prefixes", 0)) if found is not None else 0


def _readers(inputs: Mapping[str, Artefact], train: TrainPart, device: str) -> Tensor | None:
    """The profile that reads each training item, if users have one for every position."""
    prefixes = _prefixes(inputs)
    if not prefixes:
        return None
    if prefixes != len(train.train_items):
        raise DataError(
            f"{prefixes} profiles of training positions for {len(train.train_items)} training items",
            hint="run again: the embeddings belong to another split",
        )
    return train.num_users + torch.arange(prefixes, device=device)


def _load(path: Path, name: str, device: str) -> Tensor:
    """Load vectors as float32, indices as int64."""
    found = load_file(path, device=device)[name]
    return found.float() if found.is_floating_point() else found.long()


def _negatives(path: Path, device: str) -> Tensor:
    return load_file(path, device=device)["negatives"].long()


def load_trained(
    node: Node, artefact: Artefact, part: TrainPart, known: Knowledge | None, device: str
) -> Recommender | WholeModel:
    """Load the model of the train node `node` from its artefact onto the device.

    `known` holds the frozen embeddings that it was trained on (`knowledge`), which are not in the checkpoint.
    """
    model = build_model(node.settings["model"], part.num_users, part.num_items, known)
    model.load_state_dict(load_file(artefact.file(MODEL)))
    return model.to(device)


def load_recommender(
    node: Node, artefact: Artefact, part: TrainPart, known: Knowledge | None, device: str
) -> Recommender:
    """Load a trained model that has a backbone and item vectors; DataError for one of another kind."""
    name = node.settings["model"]["enhancer"]
    if ENHANCERS.get(name).whole_model:
        raise DataError(
            f"{node.label}: '{name}' is a network of its own, without the item vectors that are read here",
            hint="choose a cell with a backbone, by --cell or --only",
        )
    loaded = load_trained(node, artefact, part, known, device)
    assert isinstance(loaded, Recommender)
    return loaded
