"""The winner's spec: what the original says, with what was found, and nothing lost but comments."""

from __future__ import annotations

from pathlib import Path

import pytest

from grasp_bench.core.errors import GraspBenchError
from grasp_bench.spec.loading import load
from grasp_bench.studies.tuning.best_spec import refuse_existing, write_best_spec
from grasp_bench.studies.tuning.schema import Trial, Tuning

SPEC = """\
name: original   # a comment
description: "Ünïcode: and a colon"
dataset: {source: "${GRASP_BENCH_TUNED}/shop"}
encoder: {kind: precomputed, users: "${GRASP_BENCH_TUNED}/u.npy", items: "${GRASP_BENCH_TUNED}/i.npy"}
model: {backbone: sasrec, enhancer: grasp}
training: {lr: 1e-5}
seeds: [42, 43]
compare: {model.enhancer: [none, grasp]}
ablations: {softmax: {model.attention: softmax}}
tuning: {space: {index.num_neighbours: [1, 50], model.self: [true, false], training.lr: [1e-6, 1e-2, log]}}
hypotheses:
  - {better: grasp, than: grasp/softmax, metric: NDCG@10, protocol: full}
"""
BEST = {"index.num_neighbours": 7, "model.self": False, "training.lr": 3e-6}


@pytest.fixture
def original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRASP_BENCH_TUNED", str(tmp_path))
    (tmp_path / "shop").mkdir()
    (tmp_path / "specs").mkdir()
    path = tmp_path / "specs" / "original.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def tuning(best: dict[str, object] | None) -> Tuning:
    trial = best and Trial(number=3, state="complete", params=best, value=0.5, values={}, epochs=1, seconds=1)
    return Tuning(
        spec="original", study="s", sampler="tpe", metric="NDCG@10", protocol="sampled", dataset="shop",
        seeds=[42, 43], space={}, trials=[trial] if trial else [], best=trial or None, importance={},
        curves=[], contours=[], notes=[],
    )  # fmt: skip


def test_it_says_what_the_original_says_and_what_was_found(original: Path) -> None:
    winner = original.with_name("found.yaml")
    write_best_spec(winner, load(original), tuning(BEST))
    before, after = load(original).experiment, load(winner).experiment
    assert (after.name, after.tuning) == ("found", None)
    assert (after.index.num_neighbours, after.model.self_part, after.training.lr) == (7, False, 3e-6)
    kept = ("dataset", "encoder", "seeds", "compare", "ablations", "hypotheses", "controls")
    assert all(getattr(after, name) == getattr(before, name) for name in kept)
    assert after.description == f"The winner of a search on validation (original). {before.description}"
    text = winner.read_text(encoding="utf-8")
    assert "${GRASP_BENCH_TUNED}/u.npy" in text  # no path of this machine
    assert str(original.parent.parent) not in text.partition("name:")[2]
    assert "Ünïcode" in text


def test_published_figures_are_found_from_another_folder(original: Path) -> None:
    figures = Path(__file__).parents[2] / "specs" / "published" / "grasp.yaml"
    (original.parent / "published").mkdir()
    (original.parent / "published" / "grasp.yaml").write_text(figures.read_text())
    text = SPEC.replace("tuning:", "published: {file: published/grasp.yaml, dataset: Beauty}\ntuning:")
    original.write_text(text, encoding="utf-8")
    winner = original.parent.parent / "elsewhere" / "found.yaml"
    write_best_spec(winner, load(original), tuning(BEST))
    published = [load(path).published for path in (winner, original)]
    assert published[0] is not None
    assert published[1] is not None
    assert published[0].content == published[1].content


def test_a_name_is_found_for_any_file(original: Path) -> None:
    for name in ("original.yml", "mit Leerzeichen.yaml"):
        winner = original.with_name(name)
        write_best_spec(winner, load(original), tuning(BEST))
        assert load(winner).experiment.name == "original_tuned"


def test_nothing_is_overwritten_and_nothing_invented(original: Path) -> None:
    with pytest.raises(GraspBenchError, match="exists already"):
        refuse_existing(original)
    with pytest.raises(GraspBenchError, match="no trial is complete"):
        write_best_spec(original.with_name("none.yaml"), load(original), tuning(None))
    assert not original.with_name("none.yaml").exists()
