"""compare, ablations, tuning and hypotheses are checked when the file is read."""

from __future__ import annotations

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.spec import variations
from grasp_bench.spec.loading import load_text

HEAD = "name: x\ndataset: {source: demo}\n"


def problems_of(text: str, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_text(HEAD + text, "x.yaml", overrides)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "compare: {model.enhancr: [none]}",
            "3:11 compare.model.enhancr: unknown key; did you mean 'model.enhancer'?",
        ),
        (
            "compare: {model.heads: [1, two]}",
            "3:28 compare.model.heads: expected a whole number, got the text 'two'",
        ),
        ("compare: {model.heads: []}", "3:24 compare.model.heads: needs at least one value"),
        ("compare: {seeds: [[1]]}", "3:11 compare.seeds: cannot vary; a patch may name dataset, text, "),
        (
            "compare: {encoder: [{kind: precomputed, users: a}]}",
            "3:11 compare.encoder.items: required key is missing",
        ),
        ("ablations: {a: {noise.kind: x}}", "3:17 ablations.a.noise.kind: cannot vary"),
        (
            "ablations: {a: {modl.heads: x}}",
            "3:17 ablations.a.modl.heads: unknown key; did you mean 'model.heads'?",
        ),
        ("ablations: {a: {index: {m: x}}}", "3:28 ablations.a.index.m: expected a whole number"),
        ("ablations: {a: {model.heads: .nan}}", "3:30 ablations.a.model.heads: .nan is not a finite number"),
        (
            "tuning: {space: {model.dropot: [0, 1]}}",
            "3:18 tuning.space.model.dropot: unknown key; did you mean",
        ),
        (
            "tuning: {space: {model.dropout: [0.5, 0.1]}}",
            "3:33 tuning.space.model.dropout: the range [0.5, 0.1] does",
        ),
        ("tuning: {space: {model.dropout: []}}", "3:33 tuning.space.model.dropout: needs at least one value"),
        ("tuning: {space: {}}", "3:1 tuning: space needs at least one key"),
    ],
)
def test_a_wrong_patch_is_told_at_its_place(text: str, expected: str) -> None:
    (problem,) = problems_of(text)
    assert problem.startswith(f"x.yaml:{expected}")


def test_a_switch_inside_an_ablation() -> None:
    text = "ablations: {given: {encoder.kind: precomputed, encoder.users: u.npy, encoder.items: i.npy}}"
    assert "given" in load_text(HEAD + text).experiment.ablations
    (problem,) = problems_of("ablations: {given: {encoder.kind: precomputed, encoder.users: u.npy}}")
    assert problem == "x.yaml:3:21 ablations.given.encoder.items: required key is missing"


def test_values_that_only_fit_together() -> None:
    text = "model: {heads: 1, embedding_dim: 64}\ncompare: {model.heads: [3], model.embedding_dim: [63]}\n"
    assert load_text(HEAD + text).experiment.compare["model.heads"] == (3,)


def test_values_that_do_not_fit_together() -> None:
    text = (
        "compare: {model.heads: [1, 2], model.embedding_dim: [64, 65]}\nablations: {wide: {model.heads: 5}}\n"
    )
    assert problems_of(text) == [
        "x.yaml:3:1 compare: model: embedding_dim 65 is not divisible by heads 2"
        " (with model.heads: 2, model.embedding_dim: 65)",
        "x.yaml:4:13 ablations.wide: model: embedding_dim 64 is not divisible by heads 5"
        " (with model.heads: 1, model.embedding_dim: 64)",
    ]


def test_an_ablation_that_only_fails_with_what_is_compared() -> None:
    text = (
        "compare: {model.enhancer: [none, grasp]}\n"
        "ablations:\n  empty: {model.self: false, model.similar: false, model.global: false}\n"
    )
    (problem,) = problems_of(text)
    assert problem == (
        "x.yaml:5:3 ablations.empty: model: grasp needs at least one of self, similar, global"
        ' (with model.enhancer: "grasp")'
    )


def test_patches_below_a_wrong_choice_are_left_for_later() -> None:
    text = (
        "encoder: {kind: precomputd, users: u, items: i}\n"
        "ablations: {a: {encoder.users: v}, b: {model.hed: 1}}\n"
    )
    problems = problems_of(text)
    assert len(problems) == 2
    assert problems[0].startswith("x.yaml:3:17 encoder.kind: ")
    assert problems[1].startswith("x.yaml:4:40 ablations.b.model.hed: unknown key")


def test_overrides_are_checked_like_the_file() -> None:
    (problem,) = problems_of("", "ablations.a.model.hedas=2")
    assert problem == "--set ablations.a.model.hedas: unknown key; did you mean 'model.heads'?"


@pytest.mark.parametrize(
    ("hypothesis", "expected"),
    [
        ("{better: grsp, than: none}", "better: no method 'grsp' in this spec; did you mean 'grasp'?"),
        ("{better: grasp, than: grasp/sft}", "than: no method 'grasp/sft' in this spec; did you mean"),
        ("{better: grasp, than: gru4rec+none}", "than: no method 'gru4rec+none' in this spec"),
        ("{better: grasp, than: grasp}", "than: 'grasp' is compared with itself"),
        (
            "{better: grasp, than: none, metric: NDCG@7}",
            "metric: NDCG@7 is not among dataset.protocol.cutoffs",
        ),
    ],
)
def test_hypotheses_about_what_is_not_there(hypothesis: str, expected: str) -> None:
    text = (
        "compare: {model.enhancer: [none, grasp]}\nablations: {soft: {model.attention: softmax}}\n"
        f"hypotheses:\n  - {hypothesis}\n"
    )
    (problem,) = problems_of(text)
    assert problem.startswith("x.yaml:6:")
    assert f"hypotheses[0].{expected}" in problem


def test_full_ranking_hypotheses_need_full_ranking() -> None:
    text = (
        "compare: {model.enhancer: [none, grasp]}\n"
        "hypotheses: [{better: grasp, than: none, protocol: full}]\n"
    )
    (problem,) = problems_of(text, "dataset.protocol.also_full_ranking=false")
    assert problem == "x.yaml:4:52 hypotheses[0].protocol: 'full' needs dataset.protocol.also_full_ranking"


@pytest.mark.parametrize("name", ["grasp", "grasp/soft", "sasrec+grasp/soft", "grasp (max_len=50)"])
def test_names_that_boards_print_are_known(name: str) -> None:
    text = (
        "compare: {model.enhancer: [none, grasp], model.max_len: [50, 100]}\n"
        f"ablations: {{soft: {{model.attention: softmax}}}}\nhypotheses: [{{better: '{name}', than: none}}]\n"
    )
    assert load_text(HEAD + text).experiment.hypotheses[0].better == name


def test_more_combinations_than_fit_into_memory_are_not_all_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variations, "MAX_COMBINATIONS", 5)
    keys = ("index.num_neighbours", "model.max_len", "training.patience", "training.max_epochs", "index.m")
    values = list(range(2, 8))
    text = "compare:\n" + "".join(f"  {key}: {values}\n" for key in keys)
    assert len(load_text(HEAD + text).experiment.compare) == 5  # 7,776 combinations
