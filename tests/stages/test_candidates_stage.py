"""Stage `candidates`: one table per part, the same whenever it is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from grasp_bench.core.errors import DataError
from grasp_bench.core.hashing import file_hash
from grasp_bench.core.progress import silent
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_split
from grasp_bench.plan.graph import CellNodes
from grasp_bench.plan.nodes import make_node
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.experiment import Experiment
from grasp_bench.stages.context import STAGES, RunContext
from grasp_bench.stages.split import CandidatesStage, SplitStage

CONTEXT = RunContext("cpu", 1, silent)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    out = tmp_path_factory.mktemp("split")
    experiment = Experiment(name="test", dataset=Dataset(source="demo"))
    SplitStage().run(CellNodes(file_hash).of(experiment, "cell")["split"], {}, out, CONTEXT)
    return Artefact(out, {})


def drawn(split: Artefact, out: Path, negatives: int = 20, seed: int = 42) -> dict[str, np.ndarray]:
    node = make_node("candidates", {"negatives": negatives, "seed": seed}, {}, "candidates")
    out.mkdir()
    facts = CandidatesStage().run(node, {"split": split}, out, CONTEXT)
    assert facts == {"rows": 1500, "negatives": negatives}
    return {part: load_file(out / f"{part}.safetensors")["negatives"] for part in ("valid", "test")}


def test_negatives_were_never_touched_in_any_part(split: Artefact, tmp_path: Path) -> None:
    tables = drawn(split, tmp_path / "out")
    data = read_split(split.path)
    items, offsets = data.whole_history()
    for part, users in (("valid", data.valid_users), ("test", data.test_users)):
        assert tables[part].shape == (len(users), 20)
        assert tables[part].dtype == np.int32
        for user, row in zip(users.tolist(), tables[part].tolist(), strict=True):
            assert len(set(row)) == 20
            assert not set(row) & set(items[offsets[user] : offsets[user + 1]].tolist())


def test_same_seed_same_bytes_and_parts_differ(split: Artefact, tmp_path: Path) -> None:
    first, again = drawn(split, tmp_path / "a"), drawn(split, tmp_path / "b")
    assert (tmp_path / "a" / "test.safetensors").read_bytes() == (
        tmp_path / "b" / "test.safetensors"
    ).read_bytes()
    np.testing.assert_array_equal(first["valid"], again["valid"])
    assert not np.array_equal(first["valid"], first["test"])
    assert not np.array_equal(first["test"], drawn(split, tmp_path / "c", seed=43)["test"])


def test_too_many_negatives_name_a_user(split: Artefact, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="user 'demo-user-"):
        drawn(split, tmp_path / "out", negatives=590)


def test_is_registered() -> None:
    assert STAGES.get("candidates") is CandidatesStage
