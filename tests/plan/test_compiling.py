"""Specs to cells: crossing, collapsing, sharing, refusing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.spec.experiment import Experiment


def no_files(path: Path) -> str:
    raise AssertionError(f"a generated dataset has no file {path}")


def experiment(**sections: Any) -> Experiment:
    return Experiment.model_validate({"name": "t", "dataset": {"source": "demo"}, "controls": [], **sections})


def compiled(**sections: Any) -> Plan:
    return compile_plan(experiment(**sections), no_files)


GRASP = {"enhancer": "grasp"}


def test_one_cell_without_text_has_five_nodes() -> None:
    plan = compiled()
    assert [cell.slug for cell in plan.cells] == ["sasrec-none-s42"]
    assert [node.stage for node in plan.nodes] == ["split", "candidates", "train", "rank", "metrics"]


def test_an_enhancer_with_text_adds_both_sides() -> None:
    stages = [node.stage for node in compiled(model=GRASP).nodes]
    assert {name: stages.count(name) for name in set(stages)} == {
        "split": 1, "candidates": 1, "text": 2, "embeddings": 2, "neighbours": 2,
        "train": 1, "rank": 1, "metrics": 1,
    }  # fmt: skip


def test_compared_values_ablations_and_seeds_are_crossed() -> None:
    plan = compiled(
        seeds=[1, 2],
        compare={"model.backbone": ["sasrec", "gru4rec"], "model.enhancer": ["grasp"]},
        ablations={"softmax": {"model.attention": "softmax"}},
    )
    assert [cell.slug for cell in plan.cells] == [
        "sasrec-grasp-s1", "sasrec-grasp-s2", "sasrec-grasp-softmax-s1", "sasrec-grasp-softmax-s2",
        "gru4rec-grasp-s1", "gru4rec-grasp-s2", "gru4rec-grasp-softmax-s1", "gru4rec-grasp-softmax-s2",
    ]  # fmt: skip
    assert len({cell.protocol_hash for cell in plan.cells}) == 1
    assert len({cell.nodes["user_embeddings"].hash for cell in plan.cells}) == 1


def test_an_ablation_without_meaning_collapses_into_its_base() -> None:
    plan = compiled(
        compare={"model.enhancer": ["none", "grasp"]},
        ablations={"softmax": {"model.attention": "softmax"}},
    )
    assert [(cell.slug, cell.ablation) for cell in plan.cells] == [
        ("sasrec-none-s42", None),
        ("sasrec-grasp-s42", None),
        ("sasrec-grasp-softmax-s42", "softmax"),
    ]
    assert plan.duplicates == {"sasrec-none-softmax-s42": "sasrec-none-s42"}


def test_a_base_keeps_its_name_against_an_ablation_that_computes_the_same() -> None:
    plan = compiled(
        model=GRASP,
        compare={"model.attention": ["sigmoid", "softmax"]},
        ablations={"soft": {"model.attention": "softmax"}},
    )
    assert [(cell.slug, cell.ablation, dict(cell.variant)) for cell in plan.cells] == [
        ("sasrec-grasp-attention_sigmoid-s42", None, {"model.attention": "sigmoid"}),
        ("sasrec-grasp-attention_softmax-s42", None, {"model.attention": "softmax"}),
    ]


def test_slugs_stay_unique_and_safe() -> None:
    plan = compiled(
        model=GRASP, ablations={"größe ../": {"model.mlp_depth": 1}, "gr__e": {"model.mlp_depth": 3}}
    )
    slugs = [cell.slug for cell in plan.cells]
    assert len(set(slugs)) == 3
    assert all("/" not in slug and slug.isascii() for slug in slugs)


def test_nodes_come_after_their_inputs_and_once() -> None:
    plan = compiled(seeds=[1, 2, 3], compare={"model.enhancer": ["none", "grasp"]})
    seen: set[str] = set()
    for node in plan.nodes:
        assert node.hash not in seen
        assert all(upstream.hash in seen for upstream in node.inputs.values())
        seen.add(node.hash)


def test_only_keeps_what_the_chosen_cells_need() -> None:
    plan = compiled(compare={"model.enhancer": ["none", "grasp"]}).only("*-none-*")
    assert [cell.slug for cell in plan.cells] == ["sasrec-none-s42"]
    assert {node.stage for node in plan.nodes} == {"split", "candidates", "train", "rank", "metrics"}
    with pytest.raises(SpecError, match="sasrec-none-s42"):
        plan.only("*-llmesr-*")


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"compare": {"seeds": [[1]]}}, r"compare.seeds: not a setting of a cell"),
        ({"ablations": {"bad": {"model.heads": 3}}}, r"ablations.bad"),
    ],
)
def test_what_cannot_be_run_is_refused_while_compiling(sections: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        compiled(**sections)


def test_zero_noise_is_no_noise_and_text_that_nobody_reads_is_not_asked_for() -> None:
    plain = compiled()
    assert compiled(noise={"rates": [0.0]}).cells[0].hash == plain.cells[0].hash
    assert (
        compiled(text={"users": {"provider": "litellm", "model": "m"}}).cells[0].hash == plain.cells[0].hash
    )


def test_precomputed_vectors_need_no_text_and_are_known_by_content(tmp_path: Path) -> None:
    for name in ("u.parquet", "i.parquet"):
        (tmp_path / name).write_bytes(b"1")
    encoder = {"kind": "precomputed", "users": f"{tmp_path}/u.parquet", "items": f"{tmp_path}/i.parquet"}
    content: Callable[[Path], str] = lambda path: path.read_text()  # noqa: E731
    spec = experiment(model=GRASP, encoder=encoder)
    before = compile_plan(spec, content).cells[0].nodes
    assert "user_text" not in before
    assert list(before["user_embeddings"].inputs) == ["split"]
    (tmp_path / "i.parquet").write_bytes(b"2")
    after = compile_plan(spec, content).cells[0].nodes
    changed = {role for role in before if before[role].hash != after[role].hash}
    assert changed == {"item_embeddings", "item_neighbours", "train", "rank", "metrics"}


def test_all_cells_of_a_seed_come_before_those_of_the_next() -> None:
    plan = compiled(seeds=[44, 42], compare={"model.backbone": ["sasrec", "gru4rec"]})
    assert [node.settings["seed"] for node in plan.nodes if node.stage == "train"] == [44, 44, 42, 42]


def test_a_compared_key_that_makes_no_difference_is_no_part_of_the_variant() -> None:
    plan = compiled(compare={"model.enhancer": ["none", "grasp"], "index.num_neighbours": [5, 10]})
    assert [(cell.slug, dict(cell.variant)) for cell in plan.cells] == [
        ("sasrec-none-s42", {}),
        ("sasrec-grasp-num_neighbours_5-s42", {"index.num_neighbours": 5}),
        ("sasrec-grasp-num_neighbours_10-s42", {"index.num_neighbours": 10}),
    ]
    assert plan.cells[0].nodes["train"].label == "train sasrec-none-s42"
    assert plan.duplicates == {"sasrec-none-num_neighbours_10-s42": "sasrec-none-s42"}


def test_a_key_is_kept_where_some_of_its_values_make_a_difference() -> None:
    """`1` and `1.0` are one scale; dropping it there would leave a row that agrees with the third value."""
    plan = compiled(model=GRASP, compare={"model.logit_scale_init": [1, 1.0, 2]})
    assert [dict(cell.variant) for cell in plan.cells] == [
        {"model.logit_scale_init": 1},
        {"model.logit_scale_init": 2},
    ]
    assert compiled(compare={"training.lr": [0.1]}).cells[0].variant == {"training.lr": 0.1}


def test_the_value_of_a_key_that_an_ablation_overrides_is_not_told() -> None:
    plan = compiled(
        model=GRASP,
        seeds=[1, 2],
        compare={"index.num_neighbours": [5, 10], "training.lr": [0.1]},
        ablations={"few": {"index.num_neighbours": 3}},
    )
    few = [cell for cell in plan.cells if cell.ablation == "few"]
    assert [cell.slug for cell in few] == ["sasrec-grasp-lr_0.1-few-s1", "sasrec-grasp-lr_0.1-few-s2"]
    assert [cell.variant for cell in few] == [{"training.lr": 0.1}] * 2
    assert len(plan.cells) == 6
    assert plan.duplicates == {}


@pytest.mark.parametrize(
    ("better", "than", "words"),
    [
        ("grasp", "none/soft", r"hypotheses\[0\].than: 'none/soft' has no row .* the same as 'none'; name"),
        ("sasrec+none/soft", "grasp", r"\[0\].better: .* the same as 'sasrec\+none'; name that"),
        ("grasp", "none (num_neighbours=5)", r"what is compared makes no difference to 'none'; name that"),
    ],
)
def test_a_hypothesis_about_what_collapsed_is_refused(better: str, than: str, words: str) -> None:
    sections: dict[str, Any] = {
        "compare": {"model.enhancer": ["none", "grasp"], "index.num_neighbours": [5, 10]},
        "ablations": {"soft": {"model.attention": "softmax"}},
    }
    with pytest.raises(SpecError, match=words):
        compiled(**sections, hypotheses=[{"better": better, "than": than}])
    known = [
        {"better": "grasp (num_neighbours=5)", "than": "grasp/soft"},
        {"better": "grasp", "than": "none"},
    ]
    assert len(compiled(**sections, hypotheses=known).cells) == 5


def test_more_cells_than_anybody_means_are_refused_at_once() -> None:
    compare = {f"training.{key}": list(range(1, 101)) for key in ("batch_size", "patience", "max_epochs")}
    with pytest.raises(SpecError, match=r"the spec has 1,000,000 cells .*; at most 10,000 are allowed"):
        compiled(compare=compare)
