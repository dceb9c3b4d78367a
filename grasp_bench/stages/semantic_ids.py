"""Stage `semantic_ids`: code the items of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from grasp_bench.components import SEMANTIC_IDS
from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_item_ids, read_train
from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Enhancer
from grasp_bench.models.layout import Layout, gather_sequences
from grasp_bench.plan.nodes import Node
from grasp_bench.plan.semantic_id_nodes import TEACHER_ROLES
from grasp_bench.semantic_ids.base import Items, Signals
from grasp_bench.semantic_ids.card import card, fidelity
from grasp_bench.semantic_ids.collisions import POLICIES
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.model_inputs import KNOWLEDGE, knowledge, load_recommender, tensor
from grasp_bench.training.checkpoint import generator

FILE = "codes.safetensors"
# Readers of an item that nobody has in training, drawn at random.
STRANGERS = 64
USERS_AT_ONCE, ITEMS_AT_ONCE = 512, 64


class SemanticIdsStage:
    """Writes `codes.safetensors`: codes (m, L) i32, and sizes (L,) i32, the number of codes of each level."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: the card of the codes. Raises as the method and the policy of collisions do."""
        torch.set_num_threads(context.threads)
        keys = {key: value for key, value in node.settings.items() if key not in ("method", "vectors")}
        method = SEMANTIC_IDS.get(node.settings["method"]).model_validate(keys)
        draws = generator(torch.device("cpu"), method.seed, "semantic IDs")
        vectors_mD = _vectors(node, inputs) if method.reads_vectors else None
        signals = _signals(node, inputs) if method.reads_signals else None
        items = Items(read_item_ids(inputs["split"].path), vectors_mD, signals)
        found = (
            SEMANTIC_IDS.implementation(node.settings["method"])
            .from_settings(method)
            .quantise(
                items, draws,
                lambda done, of: context.report(Event(node.label, done, of, "steps")),
            )
        )  # fmt: skip
        codes_mL, sizes = POLICIES[method.collisions](found, method.codebook_size)
        tensors = {"codes": codes_mL.to(torch.int32), "sizes": torch.tensor(sizes, dtype=torch.int32)}
        save_file({name: each.contiguous() for name, each in tensors.items()}, out / FILE)
        rebuilt = found.rebuilt_mD
        kept = {} if rebuilt is None else fidelity(items.vectors(), rebuilt, draws)
        return {**card(found.codes_mL, codes_mL, sizes), **kept, **found.facts}


def _vectors(node: Node, inputs: Mapping[str, Artefact]) -> Tensor:
    """Return the item vectors (m, D) that the node quantises."""
    if TEACHER_ROLES["vectors"] in inputs:
        return _trained_vectors(node, inputs, TEACHER_ROLES["vectors"])
    role = "item_neighbours" if "item_neighbours" in inputs else "item_embeddings"
    ((file, name),) = KNOWLEDGE[role].values()
    return load_file(inputs[role].file(file))[name].float()


def _signals(node: Node, inputs: Mapping[str, Artefact]) -> Signals:
    """Return the vectors of a trained SASRec, and popularity and recency in the training part."""
    part = read_train(inputs["split"].path)
    items, lengths = tensor(part.train_items, "cpu"), tensor(part.train_lengths, "cpu")
    layout = Layout(lengths[lengths > 0])
    place_T = layout.position_T / (layout.lengths_B[layout.sequence_T] - 1).clamp_min(1)
    met_m = torch.bincount(items, minlength=part.num_items)
    sums_m = torch.zeros(part.num_items, dtype=place_T.dtype).index_add_(0, items, place_T)
    recency_m = torch.where(met_m > 0, sums_m / met_m.clamp_min(1), 0.5)
    vectors_mE = _trained_vectors(node, inputs, TEACHER_ROLES["signals"])
    return Signals(vectors_mE, met_m, recency_m)


@torch.inference_mode()
def _trained_vectors(node: Node, inputs: Mapping[str, Artefact], role: str) -> Tensor:
    """Return the vectors of a trained model's items: its table, or what its enhancer makes of each item."""
    part = read_train(inputs["split"].path)
    model = load_recommender(node.inputs[role], inputs[role], part, knowledge(inputs, "cpu"), "cpu").eval()
    vectors_mD = model.enhancer.item_vectors(model.catalogue())
    if vectors_mD is None:
        flat, offsets = tensor(part.train_items, "cpu"), tensor(part.train_offsets, "cpu")
        vectors_mD = mean_over_readers(model.enhancer, flat, offsets)
    return vectors_mD.clone()


def mean_over_readers(enhancer: Enhancer, items_flat: Tensor, offsets: Tensor) -> Tensor:
    """Return the mean of an item's vectors (m, d) over its places in histories, since they depend on the
    user who reads it; for an item that nobody has, over users drawn at random."""
    num_users, catalogue = len(offsets) - 1, enhancer.catalogue()
    met_m = torch.bincount(items_flat, minlength=enhancer.num_items)
    sums_md: Tensor | None = None
    for users_B in torch.arange(num_users).split(USERS_AT_ONCE):
        history = _history(users_B, items_flat, offsets)
        vectors_Td = enhancer.embed_history(history, catalogue)
        if sums_md is None:
            sums_md = vectors_Td.new_zeros(enhancer.num_items, vectors_Td.shape[1])
        sums_md.index_add_(0, history.items_T, vectors_Td)
    assert sums_md is not None
    means_md = sums_md / met_m.clamp_min(1)[:, None]
    draws = torch.Generator().manual_seed(0)
    history = _history(torch.randperm(num_users, generator=draws)[:STRANGERS], items_flat, offsets)
    rows, lengths = torch.arange(history.layout.batch), history.layout.lengths_B
    unmet = (met_m == 0).nonzero()[:, 0]
    for items_K in unmet.split(ITEMS_AT_ONCE) if len(unmet) else ():
        asked = Candidates(items_K.expand(len(rows), -1), rows, lengths)
        means_md[items_K] = enhancer.embed(history, asked, catalogue)[1].mean(0)
    return means_md


def _history(users_B: Tensor, items_flat: Tensor, offsets: Tensor) -> History:
    index_T, layout = gather_sequences(offsets[users_B], offsets[users_B + 1] - offsets[users_B])
    return History(users_B, items_flat[index_T], layout)
