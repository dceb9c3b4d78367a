"""`grasp-bench run` under noise: every kind, on a small shop, to the board's section on it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from calling import call
from safetensors.numpy import load_file
from small_shop import ITEMS, USERS, open_shop
from typer.testing import Result

SPEC = """\
name: noisy
dataset: {{source: {data}, protocol: {{negatives: 5}}}}
encoder: {{kind: precomputed, users: {data}/users_vectors.parquet, items: {data}/items_vectors.parquet}}
index: {{kind: exact, num_neighbours: 3}}
model: {{backbone: sasrec, embedding_dim: 8, max_len: 10}}
training: {{max_epochs: 1}}
seeds: [1, 2]
controls: [popularity]
compare: {{model.enhancer: [none, grasp]}}
noise: {{kind: permute, rates: [0, 0.3, 0.6]}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    open_shop(data)
    rng = np.random.default_rng(3)
    for side, prefix, count in (("users", "u", USERS), ("items", "i", ITEMS)):
        vectors = rng.normal(size=(count, 6))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        ids = [f"{prefix}{k}" for k in range(count)]
        pl.DataFrame({"id": ids, "vector": vectors.tolist()}).write_parquet(data / f"{side}_vectors.parquet")
    (tmp_path / "noisy.yaml").write_text(SPEC.format(data=data))
    return tmp_path


def run(folder: Path, *overrides: str) -> Result:
    quick = ("--device", "cpu", "--executor", "in_process", "--log-format", "plain")
    return call(
        folder, "run", "noisy.yaml", *quick, *(part for each in overrides for part in ("--set", each))
    )


def test_curves_stand_on_the_board_and_in_its_json(shop: Path) -> None:
    done = run(shop)
    assert done.exit_code == 0, done.stderr
    board = json.loads((shop / "leaderboard" / "noisy.json").read_text())
    (ranking,) = board["rankings"]
    full = next(each for each in ranking["noise"] if each["protocol"] == "full")
    assert full["rates"] == [0.0, 0.3, 0.6]
    none, grasp = full["curves"]
    assert (none["label"], none["constant"], grasp["constant"]) == ("none", True, False)
    cells = (shop / "results" / "noisy").glob("sasrec-grasp-noise_0.3-*/metrics.json")
    values = [json.loads(path.read_text())["full"]["overall"]["NDCG@10"] for path in cells]
    assert grasp["points"][1]["mean"] == pytest.approx(np.mean(values))
    assert "Under noise" in (shop / "leaderboard" / "noisy.md").read_text()
    noise = shop.glob(".grasp_bench/noise/*/embeddings.safetensors")
    assert len(list(noise)) == 8, "two sides, two rates above 0, two seeds"


@pytest.mark.parametrize("kind", ["gaussian", "dropout", "category_flip"])
def test_other_kinds_run_and_leave_finite_unlike_vectors(shop: Path, kind: str) -> None:
    done = run(shop, f"noise.kind={kind}", "noise.when=after_retrieval", "noise.rates=[0.5]", "seeds=[1]")
    assert done.exit_code == 0, done.stderr
    clean = [load_file(path)["vectors"] for path in shop.glob(".grasp_bench/embeddings/*/*.safetensors")]
    found = [load_file(path)["vectors"] for path in shop.glob(".grasp_bench/noise/*/*.safetensors")]
    assert sorted(len(each) for each in found) == sorted(len(each) for each in clean) == [ITEMS, USERS]
    for noisy in found:
        before = next(each for each in clean if len(each) == len(noisy))
        assert np.isfinite(noisy).all()
        changed = (noisy != before).any(axis=1).mean()
        assert changed == 0.5


def test_flips_without_categories_say_so_in_one_line(shop: Path) -> None:
    items = shop / "data" / "items.csv"
    pl.read_csv(items).drop("categories").write_csv(items)
    done = run(shop, "noise.kind=category_flip", "noise.side=items")
    assert done.exit_code == 6
    assert "fewer than two categories" in done.stderr
    assert "Traceback" not in done.stderr
