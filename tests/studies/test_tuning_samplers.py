"""A search's each depends on its seed, and not on how often it was interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest
from tuned_shop import searched, write_shop

SPACE = "tuning.space={training.lr: [1e-4, 1e-1, log], index.num_neighbours: [1, 8], model.dropout: [0, 0.5]}"
QUICK = [SPACE, "seeds=[1]", "training.max_epochs=1"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("sampled") / "shop")


@pytest.mark.parametrize(("sampler", "trials"), [("random", 4), ("tpe", 13), ("gp", 12)])
def test_a_seed_fixes_the_course(sampler: str, trials: int, shop: Path, tmp_path: Path) -> None:
    asked = [*QUICK, f"tuning.sampler={sampler}"]

    def each(store: str, *more: str) -> list[dict[str, object]]:
        return searched(shop, tmp_path / store, [*asked, *more]).params

    once = each("a", f"tuning.trials={trials}")
    assert len({str(point) for point in once}) > trials // 2
    for point in once:
        assert 1e-4 <= float(str(point["training.lr"])) <= 1e-1
        assert isinstance(point["index.num_neighbours"], int)
        assert isinstance(point["model.dropout"], float)
    each("b", f"tuning.trials={trials - 2}")
    assert each("b", f"tuning.trials={trials}") == once
    assert each("c", "tuning.trials=2", "tuning.seed=1") != once[:2]


def test_values_of_any_kind_may_be_chosen(shop: Path, tmp_path: Path) -> None:
    keys = "model.self: [true, false], model.mlp_hidden: [null, 4, 6], model.attention: [sigmoid, softmax]"
    index = "index: [{kind: exact, num_neighbours: 3}, {kind: hnsw, num_neighbours: 4}]"
    asked = [f"tuning.space={{{keys}, {index}}}", "tuning.sampler=random", "tuning.trials=3", "seeds=[1]"]
    found = searched(shop, tmp_path / "store", asked)
    assert [trial.state.name for trial in found.trials] == ["COMPLETE"] * 3
