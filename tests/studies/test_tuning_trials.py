"""Trials of a search: which trainings they are, what they are worth, and that test is not in them."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean

import polars as pl
import pytest
from tuned_shop import Searched, made, searched, write_shop

from grasp_bench.core.errors import RunFailedError, StoreError
from grasp_bench.core.progress import silent
from grasp_bench.core.store import Store
from grasp_bench.data.artefacts import read_split
from grasp_bench.plan.compile import compile_plan
from grasp_bench.plan.fingerprints import Fingerprints
from grasp_bench.spec.loading import load
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.rank import RankStage
from grasp_bench.studies.tuning.storage import MESSAGE

N, D = "index.num_neighbours", "model.embedding_dim"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("tuned") / "shop")


@pytest.fixture(scope="module")
def whole(shop: Path) -> Searched:
    """All nine points of the grid."""
    return searched(shop, shop.parent.parent / "store", ["tuning.trials=9"])


def test_a_grid_goes_from_the_spec_outwards(whole: Searched) -> None:
    points = [(each[N], each[D]) for each in whole.params]
    assert points[0] == (2, 8)
    assert set(points[1:5]) == {(1, 8), (4, 8), (2, 4), (2, 16)}
    assert set(points[5:]) == {(1, 4), (1, 16), (4, 4), (4, 16)}


def test_a_value_is_the_mean_over_seeds_of_the_best_validation(shop: Path, whole: Searched) -> None:
    for trial in whole.trials:
        patch = [f"{key}={value}" for key, value in trial.params.items()]
        plan = compile_plan(load(shop, patch).experiment, Fingerprints())
        best = {}
        for cell in plan.cells:
            log = Store(whole.config.store).get("train", cell.nodes["train"].hash).file("log.jsonl")
            best[str(cell.seed)] = max(json.loads(line)["NDCG@10"] for line in log.read_text().splitlines())
        assert trial.user_attrs["values"] == best
        assert trial.value == pytest.approx(fmean(best.values()))


def test_only_what_a_key_changes_is_made_again(shop: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    steps = []
    for n, d in ((2, 8), (4, 8), (4, 16)):
        before = made(store) if store.exists() else {}
        searched(shop, store, ["tuning.trials=1", f"tuning.space={{{N}: [{n}], {D}: [{d}]}}"])
        after = made(store)
        steps.append({stage: len(after[stage] - before.get(stage, set())) for stage in after})
    first, neighbours, dimension = ({k: v for k, v in step.items() if v} for step in steps)
    assert first == {"split": 1, "candidates": 1, "embeddings": 2, "neighbours": 2, "train": 2}
    assert neighbours == {"neighbours": 2, "train": 2}
    assert dimension == {"train": 2}


def test_nothing_is_ranked_or_measured(whole: Searched) -> None:
    stages = {stage for stage, found in made(whole.config.store).items() if found}
    assert stages == {"split", "candidates", "embeddings", "neighbours", "train"}


def test_poisoned_test_items_are_not_noticed(shop: Path, whole: Searched, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    searched(shop, store.root, ["tuning.trials=1", f"tuning.space={{{D}: [32]}}"])  # split and candidates
    (split,), (candidates,) = store.artefacts("split"), store.artefacts("candidates")
    split.file("test.parquet").write_bytes(b"poison")
    candidates.file("test.safetensors").write_bytes(b"poison")
    assert searched(shop, store.root, ["tuning.trials=5"]).values == whole.values[:5]
    # Whoever opens them does notice.
    with pytest.raises(StoreError, match=r"test\.parquet"):
        read_split(split.path)
    store.set_aside()[0].rename(split.path)
    cell = compile_plan(load(shop).experiment, Fingerprints()).cells[0]
    rank = cell.nodes["rank"]
    inputs = {role: store.get(node.stage, node.hash) for role, node in rank.inputs.items()}
    with pytest.raises(StoreError, match=r"test\.parquet"):
        RankStage().run(rank, inputs, tmp_path, RunContext("cpu", 1, silent))


def test_other_test_items_give_the_same_values(whole: Searched, tmp_path: Path) -> None:
    other = write_shop(tmp_path / "shop", test_shift=1)
    again = searched(other, tmp_path / "store", ["tuning.trials=5"])
    assert again.values == whole.values[:5]
    targets = []
    for store in (whole.config.store, again.config.store):
        (split,) = Store(store).artefacts("split")
        targets.append(pl.read_parquet(split.file("test.parquet")))
    assert not targets[0].equals(targets[1])


def test_what_does_not_go_together_fails_alone(shop: Path, tmp_path: Path) -> None:
    space = f"tuning.space={{{D}: [6, 8, 9], model.heads: [1, 2, 4]}}"
    found = searched(shop, tmp_path / "store", [space, "tuning.trials=9", "seeds=[1]"])
    impossible = {(6, 4), (9, 2), (9, 4)}
    failed = {
        (t.params[D], t.params["model.heads"]): t.user_attrs[MESSAGE] for t in found.trials if not t.value
    }
    assert set(failed) == impossible
    assert failed[6, 4] == "model: embedding_dim 6 is not divisible by heads 4"
    assert sum(kind == "failed" for kind, _ in found.said) == 3


def test_what_every_trial_needs_ends_the_search(tmp_path: Path) -> None:
    spec = write_shop(tmp_path / "shop")
    (tmp_path / "shop" / "users.ids.txt").write_text("u0\n")
    with pytest.raises(RunFailedError, match="embeddings users"):
        searched(spec, tmp_path / "store")
    write_shop(tmp_path / "shop")
    assert len(searched(spec, tmp_path / "store").trials) == 4  # no trial was blamed


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_pruned_trainings_keep_their_epochs(pruner: str, shop: Path, tmp_path: Path) -> None:
    overrides = [
        f"tuning.pruner={pruner}", "tuning.sampler=random", "tuning.trials=11",
        "tuning.space={training.lr: [1e-5, 1e-1, log]}", "training.max_epochs=9", "training.patience=2",
    ]  # fmt: skip
    found = searched(shop, tmp_path / "store", overrides)
    states = [trial.state.name for trial in found.trials]
    assert len(states) == 11
    assert states.count("PRUNED") >= 1
    assert states.count("COMPLETE") >= 3
    for trial in found.trials:
        if trial.state.name == "PRUNED":
            epoch = trial.user_attrs["epochs"]
            assert max(trial.intermediate_values) == epoch < 9
            assert trial.user_attrs.get("values", {}) == {}  # the second seed was not begun
    kept = list((tmp_path / "store" / "train").glob("*.partial/checkpoint.safetensors"))
    assert len(kept) == states.count("PRUNED")


def test_a_curve_that_is_in_the_store_is_told_as_well(shop: Path, tmp_path: Path) -> None:
    first = ["tuning.trials=1", "tuning.space={training.lr: [1e-2, choice]}"]
    searched(shop, tmp_path / "store", first)
    again = searched(shop, tmp_path / "store", [*first, "tuning.pruner=median"])
    assert sorted(again.trials[0].intermediate_values) == [1, 2, 3]
