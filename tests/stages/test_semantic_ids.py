"""Stage `semantic_ids`: codes and card of the small shop, and vectors of trained models by plain loops."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from small_shop import ITEMS, LENGTH, USERS, Shop, make, open_shop, plan_of
from torch import Tensor

from grasp_bench.components import SEMANTIC_IDS
from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import Event, silent
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_item_ids, read_train
from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Enhancer
from grasp_bench.models.layout import Layout
from grasp_bench.plan.nodes import Node
from grasp_bench.stages import semantic_ids as module
from grasp_bench.stages.context import STAGES, RunContext
from grasp_bench.stages.model_inputs import knowledge, load_recommender
from grasp_bench.stages.semantic_ids import mean_over_readers

STAGES_BEFORE = ("split", "candidates", "embeddings", "neighbours")
KEYS = [
    "compare={}", "ablations={}", "seeds=[1]", "model.enhancer=rpg", "model.embedding_dim=8",
    "model.max_len=4", "training.max_epochs=2", "semantic_ids.codebook_size=4", "semantic_ids.levels=2",
]  # fmt: skip
QUICK = ["semantic_ids.epochs=3", "semantic_ids.hidden=[8]", "semantic_ids.latent_dim=4"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The shop with vectors of one width for both sides, items in clusters."""
    made = open_shop(tmp_path_factory.mktemp("coded") / "shop")
    rng = np.random.default_rng(2)
    clusters = rng.normal(size=(5, 6))
    for side, letter, count in (("users", "u", USERS), ("items", "i", ITEMS)):
        vectors = clusters[np.arange(count) % 5] + 0.3 * rng.normal(size=(count, 6))
        np.save(made.spec.parent / f"{side}.npy", vectors.astype(np.float32))
        ids = "\n".join(f"{letter}{number}" for number in range(count))
        (made.spec.parent / f"{side}.ids.txt").write_text(ids + "\n")
    return made


def node_of(shop: Shop, *changes: str) -> Node:
    """The codes' node of the shop under these changes, its inputs made."""
    folder = shop.spec.parent
    files = f"encoder={{kind: precomputed, users: {folder}/users.npy, items: {folder}/items.npy}}"
    plan = plan_of(shop.spec, [*KEYS, files, *(f"semantic_ids.{change}" for change in changes)])
    node = plan.cells[0].nodes["item_codes"]
    make(shop, plan, *STAGES_BEFORE)
    for teacher in (node.inputs.get(role) for role in ("train", "signals_train")):
        if teacher is None or shop.store.has("train", teacher.hash):
            continue
        with shop.store.writing("train", teacher.hash, {"hash": teacher.hash}) as out:
            STAGES.get("train")().run(teacher, inputs_of(shop, teacher), out, RunContext("cpu", 1, silent))
    return node


def inputs_of(shop: Shop, node: Node) -> dict[str, Artefact]:
    return {role: shop.store.get(each.stage, each.hash) for role, each in node.inputs.items()}


def run(node: Node, inputs: dict[str, Artefact], out: Path, report: Any = silent) -> tuple[Any, Any, Any]:
    """Codes, sizes and facts of one run of the stage."""
    out.mkdir()
    facts = STAGES.get("semantic_ids")().run(node, inputs, out, RunContext("cpu", 1, report))
    found = load_file(out / "codes.safetensors")
    assert {name: each.dtype for name, each in found.items()} == {"codes": torch.int32, "sizes": torch.int32}
    return found["codes"], tuple(found["sizes"].tolist()), facts


@pytest.mark.parametrize("method", list(SEMANTIC_IDS))
@pytest.mark.parametrize("collisions", ["keep", "extra_level"])
def test_codes_and_their_card(shop: Shop, tmp_path: Path, method: str, collisions: str) -> None:
    events: list[Event] = []
    quick = [each.removeprefix("semantic_ids.") for each in QUICK]
    node = node_of(shop, f"method={method}", f"collisions={collisions}", *quick)
    codes, sizes, facts = run(node, inputs_of(shop, node), tmp_path / "out", events.append)
    assert codes.shape == (ITEMS, len(sizes))
    assert all(0 <= code < size for row in codes.tolist() for code, size in zip(row, sizes, strict=True))
    sharing = Counter(map(tuple, codes[:, :2].tolist()))
    assert facts["collided_items"] == sum(count for count in sharing.values() if count > 1)
    assert facts["collided_items"] > 0  # 24 items, 16 tuples
    assert facts["largest_collision"] == max(sharing.values())
    apart = ITEMS if collisions == "extra_level" else len(sharing)
    assert (facts["items"], facts["distinct"], facts["codes"]) == (ITEMS, apart, list(sizes))
    assert sizes == ((4, 4) if collisions == "keep" else (4, 4, max(sharing.values())))
    assert ("reconstruction_error" in facts) == SEMANTIC_IDS.get(method).reads_vectors
    assert {(each.task, each.unit) for each in events} == (
        {(node.label, "steps")} if SEMANTIC_IDS.get(method).reads_vectors else set()
    )


def test_the_same_again(shop: Shop, tmp_path: Path) -> None:
    node = node_of(shop)
    first, second = (run(node, inputs_of(shop, node), tmp_path / name) for name in "ab")
    assert torch.equal(first[0], second[0])
    assert first[1:] == second[1:]


def test_the_seed_of_the_section_decides(shop: Shop, tmp_path: Path) -> None:
    made = [
        run(node, inputs_of(shop, node), tmp_path / node.hash)[0]
        for node in (node_of(shop, "method=random", f"seed={seed}") for seed in (1, 2))
    ]
    assert not torch.equal(*made)


def test_a_full_prefix_stops_the_stage(shop: Shop, tmp_path: Path) -> None:
    node = node_of(shop, "levels=1", "collisions=nearest_free", "method=rq_kmeans")
    with pytest.raises(DataError, match="more than 4 items share"):
        run(node, inputs_of(shop, node), tmp_path / "out")


def vectors_of(node: Node, inputs: dict[str, Artefact]) -> Tensor:
    return module._vectors(node, inputs)


@pytest.mark.parametrize(
    ("vectors", "role", "file", "name"),
    [
        ("text", "item_embeddings", "embeddings.safetensors", "vectors"),
        ("neighbours", "item_neighbours", "neighbours.safetensors", "pooled"),
    ],
)
def test_vectors_that_are_stored(shop: Shop, vectors: str, role: str, file: str, name: str) -> None:
    node = node_of(shop, f"vectors={vectors}")
    inputs = inputs_of(shop, node)
    assert torch.equal(vectors_of(node, inputs), load_file(inputs[role].file(file))[name])


def teacher_of(shop: Shop, node: Node) -> Any:
    inputs = inputs_of(shop, node)
    part = read_train(inputs["split"].path)
    model = load_recommender(node.inputs["train"], inputs["train"], part, knowledge(inputs, "cpu"), "cpu")
    return model.eval(), part


def test_collaborative_vectors_are_the_trained_table(shop: Shop) -> None:
    node = node_of(shop, "vectors=collaborative")
    model, _ = teacher_of(shop, node)
    assert torch.equal(vectors_of(node, inputs_of(shop, node)), model.enhancer.table.weight.detach())


def test_holistic_vectors_are_means_over_readers(shop: Shop) -> None:
    """One user after the other, token by token."""
    node = node_of(shop, "vectors=holistic")
    model, part = teacher_of(shop, node)
    sums, times = torch.zeros(ITEMS, 8), [0] * ITEMS
    for user in range(USERS):
        items = part.train_items[part.train_offsets[user] : part.train_offsets[user + 1]].tolist()
        assert len(items) == LENGTH - 2
        history = History(torch.tensor([user]), torch.tensor(items), Layout(torch.tensor([len(items)])))
        vectors = model.enhancer.embed_history(history).detach()
        for item, vector in zip(items, vectors, strict=True):
            sums[item] += vector
            times[item] += 1
    met = [item for item in range(ITEMS) if times[item]]
    expected = torch.stack([sums[item] / times[item] for item in met])
    found = vectors_of(node, inputs_of(shop, node))
    torch.testing.assert_close(found[met], expected, atol=1e-6, rtol=1e-4)
    assert not torch.allclose(found[met], found[met].mean(0).expand_as(found[met]), atol=1e-4)


@pytest.mark.parametrize("vectors", ["collaborative", "holistic"])
@pytest.mark.parametrize("method", ["rq_kmeans", "rqvae", "opq"])
def test_every_method_codes_trained_vectors(shop: Shop, tmp_path: Path, vectors: str, method: str) -> None:
    """A training of RQ-VAE needs vectors that take part in gradients."""
    quick = [each.removeprefix("semantic_ids.") for each in QUICK]
    node = node_of(shop, f"vectors={vectors}", f"method={method}", *quick)
    codes, _, facts = run(node, inputs_of(shop, node), tmp_path / "out")
    assert len(codes.unique(dim=0)) > 1
    assert facts["reconstruction_error"] < 1.5


def test_signals_are_what_the_training_part_says_of_items(shop: Shop) -> None:
    """One interaction after the other; items whose readers are all held out have none."""
    node = node_of(shop, "method=flexcode")
    found = module._signals(node, inputs_of(shop, node))
    names = read_item_ids(shop.store.get("split", node.inputs["split"].hash).path)
    kept = [[f"i{item}" for item in history[:-2]] for history in shop.histories]
    for item, name in enumerate(names):
        places = [place / (LENGTH - 3) for each in kept for place, i in enumerate(each) if i == name]
        assert int(found.interactions_m[item]) == len(places)
        expected = sum(places) / len(places) if places else 0.5
        assert float(found.recency_m[item]) == pytest.approx(expected, abs=1e-6)
    teacher = node.inputs["signals_train"]
    table = load_file(shop.store.get("train", teacher.hash).file("model.safetensors"))[
        "enhancer.table.weight"
    ]
    assert torch.equal(found.vectors_mE, table)
    assert teacher.settings["model"]["enhancer"] == "none"


@pytest.mark.parametrize("lengths", [[3, 1, 0, 2], [1], [0, 5]])
def test_places_in_histories_of_any_length(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lengths: list[int]
) -> None:
    """A single item stands first; a user without a history says nothing."""
    items = np.arange(sum(lengths), dtype=np.int32) % 4
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    none = np.zeros(0, dtype=np.int32)
    part = TrainPart(len(lengths), 6, items, offsets, none, none)
    monkeypatch.setattr(module, "read_train", lambda path: part)
    monkeypatch.setattr(module, "_trained_vectors", lambda node, inputs, role: torch.zeros(6, 2))
    node = node_of(shop, "method=flexcode")
    found = module._signals(node, inputs_of(shop, node))
    for item in range(6):
        places = []
        for start, length in zip(offsets[:-1].tolist(), lengths, strict=True):
            places += [
                place / (length - 1) if length > 1 else 0.0
                for place in range(length)
                if items[start + place] == item
            ]
        assert int(found.interactions_m[item]) == len(places)
        expected = sum(places) / len(places) if places else 0.5
        assert float(found.recency_m[item]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("method", "vectors"),
    [*(("opq", each) for each in ("text", "neighbours", "collaborative", "holistic")), ("flexcode", "text")],
)
def test_held_out_items_are_not_read(shop: Shop, tmp_path: Path, method: str, vectors: str) -> None:
    """Other validation and test items, or none of the latter, give the same codes of a trained model."""
    quick = [each.removeprefix("semantic_ids.") for each in QUICK]
    node = node_of(shop, f"method={method}", f"vectors={vectors}", *quick)
    inputs = inputs_of(shop, node)
    codes = run(node, inputs, tmp_path / "as_it_is")[0]
    changed = tmp_path / "split"
    shutil.copytree(inputs["split"].path, changed, ignore=shutil.ignore_patterns("artefact.json", "test*"))
    valid = pl.read_parquet(changed / "valid.parquet")
    other = (valid["item"] + 7) % ITEMS
    assert not np.array_equal(other, valid["item"])
    valid.with_columns(item=other.cast(pl.Int32)).write_parquet(changed / "valid.parquet")
    assert torch.equal(codes, run(node, {**inputs, "split": Artefact(changed, {})}, tmp_path / "other")[0])


def test_items_that_are_added_leave_hashed_codes_of_others(shop: Shop, tmp_path: Path) -> None:
    node = node_of(shop, "method=hash", "levels=3", "codebook_size=64", "collisions=keep")
    split = shop.store.get("split", node.inputs["split"].hash).path
    codes = run(node, inputs_of(shop, node), tmp_path / "few")[0]
    more = tmp_path / "split"
    more.mkdir()
    ids = ["new1", *read_item_ids(split)[::-1], "new2"]
    pl.DataFrame({"item_id": ids}).write_parquet(more / "items.parquet")
    again = run(node, {"split": Artefact(more, {})}, tmp_path / "more")[0]
    assert torch.equal(again[1:-1].flip(0), codes)
    assert len(again.unique(dim=0)) == ITEMS + 2


class Personal(Enhancer):
    """Vector (item + 1) · 10ᵘˢᵉʳ and the place in the history: whoever reads it can be told from the sum."""

    num_items = 7

    def embed(self, history: History, candidates: Candidates, catalogue: Any = None) -> tuple[Tensor, Tensor]:
        users_S = history.users_B[candidates.sequence_S]
        values = (candidates.items_SK + 1) * 10.0 ** users_S[:, None]
        return self.embed_history(history), torch.stack([values, candidates.prior_S[:, None] + 0 * values], 2)

    def embed_history(self, history: History, catalogue: Any = None) -> Tensor:
        values = (history.items_T + 1) * 10.0 ** history.users_T()
        return torch.stack([values, history.layout.position_T.float()], dim=1)


@pytest.mark.parametrize("at_once", [1, 2, 512])
def test_readers_of_items_and_strangers_of_others(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Items 3, 5 and 6 have no reader; item 1 is read twice by user 0."""
    monkeypatch.setattr(module, "USERS_AT_ONCE", at_once)
    monkeypatch.setattr(module, "ITEMS_AT_ONCE", at_once)
    histories = [[1, 0, 1], [2], [4, 1]]
    flat = torch.tensor([item for each in histories for item in each])
    found = mean_over_readers(Personal(), flat, torch.tensor([0, 3, 4, 6]))
    for item in range(7):
        read = [
            ((item + 1) * 10.0**user, float(place))
            for user, each in enumerate(histories)
            for place, other in enumerate(each)
            if other == item
        ]
        strangers = [((item + 1) * 10.0**user, float(len(each))) for user, each in enumerate(histories)]
        expected = torch.tensor(read or strangers).mean(0)
        torch.testing.assert_close(found[item], expected)
