"""Specs that ask for too much, or for the same thing twice, and specs in which everything is wrong."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from grasp_bench.core import words
from grasp_bench.core.errors import MOST_PROBLEMS, SpecError
from grasp_bench.spec import variations
from grasp_bench.spec.loading import load_text

HEAD = "name: x\ndataset: {source: demo}\n"
ROOT = Path(__file__).parents[2]


def error_of(text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        load_text(HEAD + text, "x.yaml")
    return caught.value


@pytest.mark.parametrize(
    ("form", "indent"),
    [
        ("{}", ""),
        ("model:\n{}", "  "),
        ("ablations:\n  a:\n{}", "    "),
        ("hypotheses:\n- better: a\n  than: b\n{}", "  "),
    ],
)
def test_sixty_thousand_unknown_keys(form: str, indent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = itertools.count()
    nearest = words.nearest
    for module in ("core.words", "spec.problems"):
        monkeypatch.setattr(f"grasp_bench.{module}.nearest", lambda *given: (next(asked), nearest(*given))[1])
    error = error_of(form.format("".join(f"{indent}k{k}: 1\n" for k in range(60_000))))
    assert len(error.problems) == MOST_PROBLEMS
    assert error.more == 60_000 - MOST_PROBLEMS
    assert error.message.endswith("and 59,950 more problems")
    line = 2 + form.count("\n") + 1
    assert error.problems[0].startswith(f"x.yaml:{line}:{len(indent) + 1} ")
    assert "k0: unknown key" in error.problems[0]
    assert next(asked) < 1_000  # a hint costs more than its problem


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            f"seeds: {list(range(100_000))}",
            "3:1 seeds: the spec has 100,000 cells (seeds 100,000); at most ",
        ),
        (
            f"compare: {{model.dropout: {[k / 1e5 for k in range(10_001)]}}}",
            "3:11 compare.model.dropout: the spec has 10,001 ",
        ),
        (
            "seeds: [1, 2]\nablations:\n"
            + "".join(f"  a{k}: {{model.max_len: {k + 2}}}\n" for k in range(5_000)),
            "4:1 ablations: the spec has 10,002 cells (ablations 5,001, seeds 2)",
        ),
        (
            f"noise:\n  rates: {[k / 1e5 for k in range(10_001)]}",
            "4:3 noise.rates: the spec has 10,001 cells",
        ),
        (
            "imported:\n" + "".join(f"- {{name: r, run: r.csv, seed: {k}}}\n" for k in range(10_001)),
            "3:1 imported: the spec has 10,002 cells",
        ),
    ],
)
def test_more_cells_than_a_spec_may_ask_for(text: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variations, "Patcher", None)  # nothing is expanded
    error = error_of(text)
    assert [line[: len(place) + 7] for line in error.problems] == [f"x.yaml:{place}"]
    assert "at most 10,000 are allowed: vary less, or write several specs" in error.message


def test_ten_thousand_cells_are_legal() -> None:
    assert len(load_text(HEAD + f"seeds: {list(range(10_000))}").experiment.seeds) == 10_000


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "compare: {model.dropout: [0.1, 0.2, 0.10]}",
            "3:37 compare.model.dropout[2]: the same as compare.model.dropout[0] at 3:27",
        ),
        (
            "compare: {model.dropout: [0, 0.0]}",
            "3:30 compare.model.dropout[1]: the same as compare.model.dropout[0] at 3:27",
        ),
        (
            "compare: {training.lr: [1, 1.0]}",
            "3:28 compare.training.lr[1]: the same as compare.training.lr[0] at 3:25",
        ),
        (  # 0 is fresh, which is what nothing means
            "compare: {text.users.stale: [null, 0]}",
            "3:36 compare.text.users.stale[1]: the same as compare.text.users.stale[0] at 3:30",
        ),
        (  # a default written out
            "compare: {index: [{kind: exact}, {num_neighbours: 10, kind: exact}]}",
            "3:34 compare.index[1]: the same as compare.index[0] at 3:19",
        ),
        (
            "ablations: {a: {model.heads: 2}, b: {model.heads: 2}}",
            "3:34 ablations.b: the same as ablations.a at 3:13",
        ),
        ("ablations: {a: {}, b: {}}", "3:20 ablations.b: the same as ablations.a at 3:13"),
        ("seeds: [3, 1, 3]", "3:1 seeds: seeds[2] repeats seeds[0]; 3 is given twice"),
        ("noise: {rates: [0, 0.1, 0.1]}", "3:9 noise.rates: rates[2] repeats rates[1]; 0.1 is given twice"),
        ("noise: {rates: [0.0, -0.0]}", "3:9 noise.rates: rates[1] repeats rates[0]; -0.0 is given twice"),
        (
            "controls: [random, random]",
            "3:1 controls: controls[1] repeats controls[0]; random is given twice",
        ),
        ("tuning: {space: {training.lr: [1, 2, 1.0]}}", "3:31 tuning.space.training.lr: 1.0 repeats"),
        (
            "hypotheses: [{better: markov, than: random}, {than: random, better: markov, protocol: full}]",
            "3:1 hypotheses: hypotheses[1] repeats hypotheses[0]",
        ),
    ],
)
def test_what_is_compared_is_compared_once(text: str, problem: str) -> None:
    assert error_of(text).problems == [f"x.yaml:{problem}"]


def test_ablations_that_name_different_keys_are_different() -> None:
    text = "ablations: {a: {model.attention: softmax}, b: {model.attention: softmax, model.heads: 1}}"
    assert len(load_text(HEAD + text).experiment.ablations) == 2


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ('"a\\x1b[31m"', "3:13 ablations: character U+001B is not allowed; leave it out"),
        ('"a\\nb"', "3:13 ablations: a key must not contain U+000A, which is invisible"),
        ('"a\\u200bb"', "3:13 ablations: a key must not contain U+200B, which is invisible"),
        ('"a\\u202eb"', "3:13 ablations: character U+202E is not allowed; leave it out"),
        ("' a'", "3:13 ablations. a: the name begins or ends with a space"),
        ("a" * 81, f"3:13 ablations.{'a' * 81}: the name has 81 characters; at most 80 are allowed"),
    ],
)
def test_names_of_ablations_can_be_printed(name: str, problem: str) -> None:
    assert f"x.yaml:{problem}" in error_of(f"ablations: {{{name}: {{model.heads: 2}}}}").problems


@pytest.mark.parametrize("name", ["w/o global", "größe", "ohne_漢字", "a|b"])
def test_names_that_read_well_are_names(name: str) -> None:
    assert name in load_text(HEAD + f"ablations: {{'{name}': {{model.heads: 2}}}}").experiment.ablations


def test_a_value_may_hold_lines_and_no_commands() -> None:
    assert load_text(HEAD + 'description: "a\\n\\tb"').experiment.description == "a\n\tb"
    assert error_of('description: "\\e[2J"').problems == [
        "x.yaml:3:14 description: character U+001B is not allowed; leave it out"
    ]


def test_messages_write_out_what_they_quote() -> None:
    (problem,) = error_of('model: {attention: "soft\\u200bmax"}').problems
    assert r"soft\u200bmax" in problem
