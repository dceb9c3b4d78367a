"""`${GRASP_BENCH_…}` and nothing else."""

from __future__ import annotations

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.spec.loading import load_text
from grasp_bench.spec.scalars import interpolate

HEAD = "name: x\ndataset: {source: '${GRASP_BENCH_DATA}/beauty'}\n"


def test_values_and_their_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRASP_BENCH_DATA", "/data: {x}")
    monkeypatch.setenv("GRASP_BENCH_SEED", "7")
    loaded = load_text(HEAD + "seeds:\n  - 1\n  - ${GRASP_BENCH_SEED}\n", "x.yaml")
    assert loaded.experiment.dataset.source == "/data: {x}/beauty"  # text, never YAML structure
    assert loaded.experiment.seeds == (1, 7)
    assert loaded.sources["dataset.source"] == "environment ${GRASP_BENCH_DATA} at x.yaml:2:19"
    assert loaded.sources["seeds"] == "environment ${GRASP_BENCH_SEED} at x.yaml:4:3"


def test_brackets_need_quotes_and_the_message_says_so() -> None:
    with pytest.raises(SpecError, match=r"quote a value with \$\{…\} inside brackets"):
        load_text("name: x\ndataset: {source: ${GRASP_BENCH_DATA}/beauty}\n")


def test_quoted_values_stay_text() -> None:
    assert interpolate("a${GRASP_BENCH_A}b${GRASP_BENCH_A}", {"GRASP_BENCH_A": "${HOME}"}) == (
        "a${HOME}b${HOME}",
        ("GRASP_BENCH_A", "GRASP_BENCH_A"),
    )


def test_an_unset_variable_is_named_at_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRASP_BENCH_DATA", raising=False)
    with pytest.raises(SpecError) as caught:
        load_text(HEAD, "x.yaml")
    (problem,) = caught.value.problems
    assert problem.startswith("x.yaml:2:19 dataset.source: environment variable GRASP_BENCH_DATA is not set")


@pytest.mark.parametrize(
    "name",
    ["HOME", "OPENAI_API_KEY", "GRASP_BENCH_API_KEY", "GRASP_BENCH_TOKEN", "GRASP_BENCH_", "",
     "grasp_bench_data",
     "GRASP_BENCH_DATA:-x", " GRASP_BENCH_DATA"],
)  # fmt: skip
def test_other_names_are_refused_even_when_set(name: str) -> None:
    with pytest.raises(ValueError, match="is not allowed") as caught:
        interpolate(f"${{{name}}}", {name: "hidden"})
    assert "hidden" not in str(caught.value)


def test_dollars_that_are_no_references() -> None:
    assert interpolate("$5 $x $${HOME} $$", {}) == ("$5 $x ${HOME} $$", ())
    with pytest.raises(ValueError, match="without '}'"):
        interpolate("${GRASP_BENCH_DATA", {"GRASP_BENCH_DATA": "x"})


def test_keys_are_not_interpolated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRASP_BENCH_DATA", "model")
    with pytest.raises(SpecError, match=r"unknown key"):
        load_text("name: x\ndataset: {source: demo}\n${GRASP_BENCH_DATA}: {}\n")
