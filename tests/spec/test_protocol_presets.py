"""`protocol:` lays values under a spec: the spec's own win, and `explain` tells which are whose."""

from __future__ import annotations

from pathlib import Path

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.loading import load, load_text
from grasp_bench.spec.patches import path_of
from grasp_bench.spec.protocols import PROTOCOLS
from grasp_bench.spec.training import Training

SPEC = "name: t\ndataset: {source: demo}\n"


def loaded(extra: str = "", overrides: tuple[str, ...] = ()):
    return load_text(SPEC + extra, "t.yaml", overrides)


def test_paper_is_what_was_published() -> None:
    found = loaded("protocol: paper\n").experiment
    protocol = found.dataset.protocol
    assert (protocol.candidates, protocol.validation_negatives, protocol.ties) == (
        "redrawn", "outside_all", "optimistic",
    )  # fmt: skip
    assert not protocol.also_full_ranking
    assert not found.model.causal
    assert (protocol.groups.count_on, protocol.groups.first_user) == ("all", "skipped")
    assert found.training.monitor_protocol == "sampled"


def test_strict_is_its_opposite_and_temporal_is_strict_in_time() -> None:
    strict, temporal = (loaded(f"protocol: {name}\n").experiment for name in ("strict", "temporal"))
    protocol = strict.dataset.protocol
    assert (protocol.candidates, protocol.validation_negatives, protocol.ties) == (
        "stored", "outside_known", "mean",
    )  # fmt: skip
    assert protocol.also_full_ranking
    assert strict.model.causal
    assert (protocol.groups.count_on, protocol.groups.first_user) == ("train", "counted")
    assert temporal.dataset.protocol == protocol.model_copy(update={"split": "temporal"})
    assert temporal.model == strict.model


def test_strong_is_strict_with_another_training() -> None:
    strict, strong = (loaded(f"protocol: {name}\n").experiment for name in ("strict", "strong"))
    assert strong.dataset == strict.dataset
    assert (strict.training.loss.kind, strict.training.monitor_protocol) == ("bce", "sampled")
    assert (strong.training.loss.kind, strong.training.monitor_protocol) == ("softmax", "full")
    model = strong.model
    assert (model.embedding_dim, model.max_len, model.dropout, model.causal) == (128, 50, 0.2, True)
    own = loaded("protocol: strong\ntraining: {loss: {kind: gbce, negatives: 9}}\n").experiment.training
    assert own.loss.effective() == {
        "kind": "gbce", "negatives": 9, "sampling": "uniform", "calibration": 0.75,
    }  # fmt: skip
    assert Training.model_validate(own.effective()) == own  # as a worker reads it


def test_nothing_is_as_without_the_key() -> None:
    assert loaded().experiment == loaded("protocol: null\n").experiment
    plain = Experiment.model_validate({"name": "t", "dataset": {"source": "demo"}})
    assert loaded().experiment == plain


def test_what_the_spec_says_wins_and_explain_tells() -> None:
    spec = loaded(
        "protocol: paper\nmodel: {causal: true}\n",
        ("dataset.protocol.ties=mean", "dataset.protocol.groups.rule=pareto"),
    )
    protocol = spec.experiment.dataset.protocol
    assert (protocol.ties, protocol.candidates, protocol.groups.count_on) == ("mean", "redrawn", "all")
    assert spec.experiment.model.causal
    assert spec.sources["dataset.protocol.ties"] == "--set"
    assert spec.sources["model.causal"] == "t.yaml:4:17"
    assert spec.sources["dataset.protocol.candidates"] == "protocol paper at t.yaml:3:11"
    assert spec.sources["dataset.protocol.negatives"] == "default"


def test_it_can_be_set_and_included(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("protocol: paper\ndataset: {protocol: {ties: pessimistic}}\n")
    (tmp_path / "top.yaml").write_text("include: base.yaml\n" + SPEC)
    assert loaded(overrides=("protocol=paper",)).sources["model.causal"] == "protocol paper at --set"
    included = load(tmp_path / "top.yaml")
    assert included.experiment.protocol == "paper"
    assert included.experiment.dataset.protocol.ties == "pessimistic"
    strict = load(tmp_path / "top.yaml", ["protocol=strict"]).experiment.dataset.protocol
    assert (strict.ties, strict.candidates) == ("pessimistic", "stored")


def test_patches_vary_what_a_preset_gave() -> None:
    loaded("protocol: strict\ncompare: {model.causal: [true, false]}\n")
    with pytest.raises(SpecError, match="cannot vary"):
        loaded("compare: {protocol: [paper, strict]}\n")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("papr", "the text 'papr' is not one of paper, strict, temporal, strong; did you mean 'paper'?"),
        ("[paper, strict]", "a list is not one of paper, strict, temporal, strong"),
        (
            "{ties: mean}",
            "expected one of paper, strict, temporal, strong; the section of this name is dataset.protocol",
        ),
    ],
)
def test_other_names_are_refused(given: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(f"protocol: {given}\n")
    assert caught.value.problems == [f"t.yaml:3:11 protocol: {problem}"]


def test_a_split_of_another_protocol_is_refused() -> None:
    with pytest.raises(SpecError, match="split: the text 'leave_one_out' contradicts protocol 'temporal'"):
        loaded("protocol: temporal\n", ("dataset.protocol.split=leave_one_out",))
    loaded("protocol: temporal\n", ("dataset.protocol.split=temporal",))


def test_what_is_wrong_above_a_value_is_told_once() -> None:
    with pytest.raises(SpecError) as caught:
        load_text("name: t\nprotocol: paper\ndataset: demo\nmodel: 3\n", "t.yaml")
    assert [line.split(":")[0:2] for line in caught.value.problems] == [["t.yaml", "3"], ["t.yaml", "4"]]


def test_presets_name_keys_that_there_are() -> None:
    for values in PROTOCOLS.values():
        for key in values:
            assert path_of(key, {}) == tuple(key.split("."))
