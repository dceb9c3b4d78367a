"""`--dataset demo`: a spec's rehearsal, which nobody can take for the study."""

from __future__ import annotations

from pathlib import Path

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.spec.demo import load_demo, mark_of
from grasp_bench.spec.loading import load

SPEC = """\
name: study
description: The real thing
dataset: {source: amazon-fashion, min_item: 2, users: people.csv}
text: {items: {provider: litellm, model: openai/gpt-4o-mini}}
encoder: {kind: precomputed, users: u.npy, items: i.npy}
model: {enhancer: grasp, embedding_dim: 16}
training: {max_epochs: 200, patience: 20}
seeds: [7, 8]
compare: {model.enhancer: [none, grasp]}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(SPEC)
    return path


def test_it_has_a_name_of_its_own_and_says_what_it_is(spec: Path) -> None:
    found = load_demo(spec, []).experiment
    assert found.name == "study-demo"
    assert found.description.startswith("DEMO on a generated catalogue, not on amazon-fashion")
    assert found.description.endswith("The real thing")
    assert mark_of(found) == found.description.splitlines()[0]
    assert mark_of(load(spec).experiment) is None


def test_it_is_quick_and_reads_no_files_and_asks_no_service(spec: Path) -> None:
    found = load_demo(spec, []).experiment
    assert (found.dataset.source, found.dataset.users, found.dataset.min_item) == ("demo", None, 2)
    assert (found.text.items.provider, found.encoder.kind) == ("template", "sentence_transformers")
    assert (found.seeds, found.training.max_epochs, found.training.patience) == ((7,), 10, 5)
    assert found.model.embedding_dim == 16  # narrower than a rehearsal's already
    assert found.compare == {"model.enhancer": ("none", "grasp")}


def test_what_is_for_files_without_times_is_left_out(spec: Path) -> None:
    text = SPEC.replace("min_item: 2,", "min_item: 2, repair: {ascending_runs: shuffle},")
    spec.write_text(text.replace("encoder: {kind: precomputed, users: u.npy, items: i.npy}\n", ""))
    assert load_demo(spec, []).experiment.dataset.repair.ascending_runs == "keep"
    compared = "compare: {dataset.repair.ascending_runs: [keep, shuffle]}"
    spec.write_text(
        SPEC.replace("compare: {model.enhancer: [none, grasp]}", compared).replace("grasp", "none")
    )
    found = load_demo(spec, []).experiment
    assert found.compare == {"dataset.repair.ascending_runs": ("keep",)}


def test_what_is_set_by_hand_wins_but_not_over_the_mark(spec: Path) -> None:
    overrides = ["training.max_epochs=2", "name=mine", "description=real", "dataset.source=amazon-beauty"]
    found = load_demo(spec, overrides).experiment
    assert (found.training.max_epochs, found.name, found.dataset.source) == (2, "mine-demo", "demo")
    assert mark_of(found) is not None
    assert "not on amazon-beauty" in found.description


def test_a_long_name_keeps_the_mark(spec: Path) -> None:
    found = load_demo(spec, [f"name={'n' * 80}"]).experiment
    assert found.name == "n" * 75 + "-demo"


def test_a_spec_with_problems_tells_them(spec: Path) -> None:
    with pytest.raises(SpecError, match="max_epoch"):
        load_demo(spec, ["training.max_epoch=2"])


def test_what_would_bring_other_data_files_or_a_bill_back_is_left_out(spec: Path) -> None:
    spec.write_text(
        SPEC.replace(
            "compare: {model.enhancer: [none, grasp]}",
            """
compare: {model.enhancer: [none, grasp], dataset.source: [amazon-fashion, amazon-beauty]}
ablations:
  softmax: {model.attention: softmax}
  told: {text.items: {provider: precomputed, path: told.csv}}
  vectors: {encoder: {kind: precomputed, users: u.npy, items: i.npy}}
  asked: {text.users: {provider: litellm, model: openai/gpt-4o-mini}}
imported: [{name: peer, run: peer.csv}]
hypotheses:
  - {better: grasp, than: grasp/softmax, metric: NDCG@10}
  - {better: grasp/told, than: grasp, metric: NDCG@10}
  - {better: grasp, than: peer, metric: NDCG@10}
""",
        )
    )
    found = load_demo(spec, []).experiment
    assert found.compare == {"model.enhancer": ("none", "grasp")}
    assert (list(found.ablations), found.imported) == (["softmax"], ())
    assert [(each.better, each.than) for each in found.hypotheses] == [("grasp", "grasp/softmax")]
    assert mark_of(found) is not None
