"""Each hazard of the published protocol, on small data: what goes wrong by `paper`, and not by `strict`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.numpy import load_file

from grasp_bench.core.hashing import file_hash
from grasp_bench.core.progress import silent
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_item_ids, read_split
from grasp_bench.data.groups import group_members
from grasp_bench.evaluation.ranker import Queries
from grasp_bench.models.batch import History
from grasp_bench.models.layout import Layout
from grasp_bench.models.recommender import Recommender
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.loading import load_text
from grasp_bench.stages.context import STAGES, RunContext
from grasp_bench.stages.train import TrainStage

USERS, ITEMS, NEGATIVES = 60, 30, 8
CONTEXT = RunContext("cpu", 1, silent)
SPEC = """
name: shop
protocol: {protocol}
dataset:
  source: {folder}
  protocol: {{negatives: 8, groups: {{rule: threshold, head_user_from: 5, head_item_from: 14}}}}
model: {{embedding_dim: 8, max_len: 8}}
training: {{max_epochs: 3, batch_size: 16}}
controls: [constant, popularity]
compare: {{model.backbone: [sasrec, gru4rec]}}
"""


@dataclass(frozen=True)
class Shop:
    """One spec under two protocols, in a folder of artefacts that both share."""

    plans: dict[str, Plan]
    folder: Path

    def nodes(self, protocol: str, slug: str) -> dict[str, Node]:
        return next(dict(cell.nodes) for cell in self.plans[protocol].cells if cell.slug == slug)

    def made(self, node: Node) -> Artefact:
        """The node's artefact, made by the real stages, inputs first."""
        out = self.folder / node.hash
        if not out.is_dir():
            inputs = {role: self.made(each) for role, each in node.inputs.items()}
            out.mkdir(parents=True)
            STAGES.get(node.stage)().run(node, inputs, out, CONTEXT)
        return Artefact(out, {})

    def figures(self, protocol: str, slug: str) -> dict[str, dict[str, dict[str, float]]]:
        text = self.made(self.nodes(protocol, slug)["metrics"]).file("metrics.json").read_text()
        return json.loads(text)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(3)
    rows = []
    for user in range(USERS):
        items = rng.choice(ITEMS, rng.integers(4, 8), replace=False, p=_skewed(ITEMS))
        times = np.sort(rng.integers(1_500_000_000, 1_500_900_000, len(items)))
        rows += [(f"u{user}", f"i{item}", int(time)) for item, time in zip(items, times, strict=True)]
    schema = ["user_id", "item_id", "timestamp"]
    pl.DataFrame(rows, schema=schema, orient="row").write_csv(folder / "interactions.csv")
    plans = {
        name: compile_plan(load_text(SPEC.format(protocol=name, folder=folder)).experiment, file_hash)
        for name in ("paper", "strict", "temporal")
    }
    return Shop(plans, folder / "artefacts")


def _skewed(count: int) -> np.ndarray:
    weights = 1 / np.arange(1, count + 1)
    return weights / weights.sum()


def states(settings: dict[str, object], items: list[int]) -> torch.Tensor:
    torch.manual_seed(0)
    recommender = Recommender.from_settings(settings, USERS, ITEMS, None).eval()
    history = History(torch.tensor([0]), torch.tensor(items), Layout(torch.tensor([len(items)])))
    with torch.inference_mode():
        vectors = recommender.enhancer.embed_history(history, recommender.enhancer.catalogue())
        return recommender.read(vectors, history.layout)


def test_1_a_position_sees_the_item_that_it_must_predict(shop: Shop) -> None:
    for protocol, sees in (("paper", True), ("strict", False)):
        settings = shop.nodes(protocol, "sasrec-none-s42")["train"].settings["model"]
        before, after = states(settings, [1, 2, 3]), states(settings, [1, 2, 9])
        assert torch.allclose(before[1], after[1], atol=1e-6) is not sees


def test_2_test_negatives_differ_between_methods(shop: Shop) -> None:
    def negatives(protocol: str, slug: str) -> np.ndarray:
        node = shop.nodes(protocol, slug)["rank"].inputs["candidates"]
        return load_file(shop.made(node).file("test.safetensors"))["negatives"]

    slugs = ("sasrec-none-s42", "gru4rec-none-s42", "popularity", "constant")
    for protocol, distinct in (("paper", len(slugs)), ("strict", 1)):
        tables = [negatives(protocol, slug) for slug in slugs]
        assert len({table.tobytes() for table in tables}) == distinct
        assert {table.shape for table in tables} == {(USERS, NEGATIVES)}
    # One protocol all the same: the paper compares such figures with each other.
    assert len({cell.protocol_hash for cell in shop.plans["paper"].cells}) == 1


def test_2_validation_negatives_differ_between_passes_and_no_test_item_is_opened(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    redrawn: Callable[..., Queries] = Queries.redrawn

    def watched(self: Queries, count: int, draws: torch.Generator) -> Queries:
        found = redrawn(self, count, draws)
        seen.append(found.negatives_QK)
        return found

    monkeypatch.setattr(Queries, "redrawn", watched)
    for protocol, passes in (("paper", 3), ("strict", 0)):
        seen.clear()
        node = shop.nodes(protocol, "sasrec-none-s42")["train"]
        inputs = {}
        for role, upstream in node.inputs.items():
            copied = Path(shutil.copytree(shop.made(upstream).path, tmp_path / protocol / role))
            for locked in copied.glob("test*"):
                locked.unlink()
            inputs[role] = Artefact(copied, {})
        out = tmp_path / protocol / "out"
        out.mkdir()
        TrainStage().run(node, inputs, out, CONTEXT)
        assert len({table.numpy().tobytes() for table in seen}) == len(seen) == passes
        assert all(table.shape == (USERS, NEGATIVES) for table in seen)
        assert all(len(set(row)) == NEGATIVES for table in seen for row in table.tolist())


def test_3_held_out_items_count_as_popularity(shop: Shop) -> None:
    for protocol, counted in (("paper", "all"), ("strict", "train")):
        split = read_split(shop.made(shop.nodes(protocol, "constant")["split"]).path)
        groups = shop.plans[protocol].cells[0].experiment.dataset.protocol.groups
        ids = read_item_ids(shop.made(shop.nodes(protocol, "constant")["split"]).path)
        items = split.whole_history()[0] if counted == "all" else split.train_items
        head = np.bincount(items, minlength=split.num_items) >= 14
        members = group_members(split, split.test_users, split.test_items, groups, ids)
        np.testing.assert_array_equal(members["head_item"][1:], head[split.test_items][1:])
    heads = [
        shop.figures(protocol, "constant")["sampled"]["head_item"]["n"] for protocol in ("paper", "strict")
    ]
    assert heads[0] > heads[1]


def test_4_the_item_groups_leave_out_the_first_user(shop: Shop) -> None:
    for protocol, counted in (("paper", USERS - 1), ("strict", USERS)):
        sampled = shop.figures(protocol, "constant")["sampled"]
        assert sampled["head_item"]["n"] + sampled["tail_item"]["n"] == counted
        assert sampled["head_user"]["n"] + sampled["tail_user"]["n"] == sampled["overall"]["n"] == USERS


def test_5_a_constant_scorer_gets_a_perfect_score(shop: Shop) -> None:
    chance = sum(1 / np.log2(rank + 1) for rank in range(1, 6)) / (NEGATIVES + 1)
    for protocol, expected in (("paper", 1.0), ("strict", chance)):
        assert shop.figures(protocol, "constant")["sampled"]["overall"]["NDCG@5"] == pytest.approx(expected)


def test_6_nothing_but_sampled_negatives_is_ranked(shop: Shop) -> None:
    assert "full" not in shop.figures("paper", "popularity")
    strict = shop.figures("strict", "popularity")
    # The same scores look better among eight negatives than in the catalogue.
    assert strict["sampled"]["overall"]["NDCG@10"] > strict["full"]["overall"]["NDCG@10"]


def test_7_others_futures_are_in_training(shop: Shop) -> None:
    """Leave-one-out is what both presets do; `temporal` is the split for data with times."""
    times = dict(_times(shop.folder.parent))
    for protocol, mixed in (("paper", True), ("strict", True), ("temporal", False)):
        artefact = shop.made(shop.nodes(protocol, "constant")["split"])
        split = read_split(artefact.path)
        users = pl.read_parquet(artefact.file("users.parquet"))["user_id"].to_list()
        items = pl.read_parquet(artefact.file("items.parquet"))["item_id"].to_list()
        trained = [
            times[users[u], items[i]] for u, i in zip(split.train_users, split.train_items, strict=True)
        ]
        tested = [times[users[u], items[i]] for u, i in zip(split.test_users, split.test_items, strict=True)]
        assert (max(trained) >= min(tested)) is mixed
    assert shop.figures("temporal", "popularity")["full"]["overall"]["n"] == len(split.test_users) > 0


def _times(folder: Path) -> list[tuple[tuple[str, str], int]]:
    rows = pl.read_csv(folder / "interactions.csv").rows()
    return [((user, item), time) for user, item, time in rows]


def test_early_stopping_never_sees_the_test_item_as_a_negative(shop: Shop) -> None:
    for protocol, traced in (("paper", True), ("strict", False)):
        nodes = shop.nodes(protocol, "constant")
        split = read_split(shop.made(nodes["split"]).path)
        table = load_file(shop.made(nodes["candidates"]).file("valid.safetensors"))["negatives"]
        test = dict(zip(split.test_users.tolist(), split.test_items.tolist(), strict=True))
        found = [
            test[user] in row for user, row in zip(split.valid_users.tolist(), table.tolist(), strict=True)
        ]
        assert any(found) is not traced
        known, offsets = split.known()
        for user, row in zip(split.valid_users.tolist(), table.tolist(), strict=True):
            assert not set(row) & set(known[offsets[user] : offsets[user + 1]].tolist())
