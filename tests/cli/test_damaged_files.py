"""Every file of a store and of results, harmed: figures stay, or an error's hint brings them back."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from damaged_shop import HARM, Place, figures, finished_study, flip

from grasp_bench.core.errors import DamagedError, GraspBenchError
from grasp_bench.core.integrity import SIDECAR
from grasp_bench.core.store import Store
from grasp_bench.data.artefacts import read_split

# Every kind of file that this study leaves in a store, and (below) in results.
STORED = [
    "split/users.parquet", "split/items.parquet", "split/train.parquet", "split/valid.parquet",
    "split/test.parquet", "split/card.json", "candidates/valid.safetensors", "candidates/test.safetensors",
    "embeddings/embeddings.safetensors", "embeddings/ids.parquet", "neighbours/neighbours.safetensors",
    "train/model.safetensors", "rank/ranks.parquet", "rank/recommendations.safetensors",
    "control/ranks.parquet", "control/recommendations.safetensors", "metrics/metrics.json",
    "metrics/ranks.parquet", *(f"{stage}/{SIDECAR}" for stage in ("split", "train", "metrics")),
]  # fmt: skip
NOT_READ = ["train/log.jsonl"]  # by `run`: trackers and searches read it
RESULTS = [
    "sasrec-grasp-s1/cell.json", "sasrec-grasp-s1/metrics.json", "sasrec-grasp-s1/ranks.parquet",
    "popularity/metrics.json", "study.json", "board.json", "groups-*.parquet",
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return finished_study(tmp_path_factory.mktemp("damage"))


@pytest.fixture(scope="module")
def shown(whole: Place) -> Any:
    """The figures of its board."""
    return figures(whole.board())


@pytest.fixture(scope="module")
def spare(whole: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A copy whose artefacts are harmed and put back, one at a time."""
    return whole.copy(tmp_path_factory.mktemp("spare") / "copy")


def stored(place: Place, kind: str) -> Path:
    stage, name = kind.split("/")
    return min(place.store.glob(f"{stage}/*/{name}"))


def test_the_lists_above_name_every_kind_of_file(whole: Place) -> None:
    found = {f"{path.parent.parent.name}/{path.name}" for path in whole.store.glob("*/*/*")}
    assert {kind for kind in found if not kind.endswith(SIDECAR)} <= {*STORED, *NOT_READ}


@pytest.mark.parametrize("kind", [*STORED, *NOT_READ])
@pytest.mark.parametrize("harm", HARM)
def test_a_harmed_artefact_is_told_and_set_aside(whole: Place, spare: Place, kind: str, harm: str) -> None:
    """At many places, where opening is cheap; `delete` of a sidecar leaves no artefact."""
    path, untouched = stored(spare, kind), stored(whole, kind)
    store, (stage, digest) = Store(spare.store), path.parts[-3:-1]
    for seed in range(1 if harm in ("empty", "delete") else 3):
        HARM[harm](path, random.Random(seed))
        if kind.endswith(SIDECAR) and harm == "delete":
            assert not store.has(stage, digest)
        else:
            with pytest.raises(DamagedError, match=path.name) as caught:
                _open(store, stage, digest, path.name)
            assert "grasp-bench run" in str(caught.value.hint)
            assert [aside.name for aside in store.set_aside()] == [f"{digest}.damaged"]
        assert store.was_damaged(stage, digest)
        for left in (path.parent, *store.set_aside()):
            shutil.rmtree(left, ignore_errors=True)
        shutil.copytree(untouched.parent, path.parent)


def _open(store: Store, stage: str, digest: str, name: str) -> None:
    artefact = store.get(stage, digest)
    if stage == "split" and name in ("train.parquet", "test.parquet"):
        read_split(artefact.path)  # readers of splits take a folder
    else:
        artefact.file(name)


@pytest.mark.parametrize("kind", STORED)
def test_run_makes_a_harmed_artefact_again_and_gives_the_same_figures(
    whole: Place, shown: Any, tmp_path: Path, kind: str
) -> None:
    place = whole.copy(tmp_path / "copy")
    path = stored(place, kind)
    place.forget_what_follows(path.parent)
    flip(path, random.Random(kind))
    done = place.run()
    assert done.exit_code == 0, done.output
    assert figures(place.board()) == shown
    again = place.run()
    assert "nothing to do" in again.output


@pytest.mark.parametrize("name", RESULTS)
def test_harmed_results_are_never_shown_as_truth_and_run_publishes_them_again(
    whole: Place, shown: Any, tmp_path: Path, name: str
) -> None:
    for seed, (harm, act) in enumerate(HARM.items()):
        place = whole.copy(tmp_path / harm)
        (path,) = (place.results / "damaged").glob(name)
        act(path, random.Random(seed))
        board = place.board()
        if board.exit_code:
            assert isinstance(board.exception, SystemExit | GraspBenchError), harm
            assert "hint: run the spec again (grasp-bench run)" in board.output, harm
        # Without a cell, or without a study, a board says so; its figures are those of before.
        elif harm != "delete" or not name.endswith(("cell.json", "study.json")):
            assert figures(board) == shown, harm
        done = place.run()  # as the hint says
        assert done.exit_code == 0, (harm, done.output)
        assert "nothing to do" in done.output, "results come from the store: nothing is computed"
        assert figures(place.board()) == shown, harm
