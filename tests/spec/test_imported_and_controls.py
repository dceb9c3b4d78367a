"""`imported` and `controls` as a user writes them: what is refused, with its place and what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.loading import load

HEAD = "name: t\ndataset: {source: demo}\n"


def read(tmp_path: Path, text: str) -> Experiment:
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD + text)
    return load(path, []).experiment


def test_controls_are_all_where_nothing_is_said(tmp_path: Path) -> None:
    assert read(tmp_path, "").controls is None
    assert read(tmp_path, "controls: []").controls == ()
    assert read(tmp_path, "controls: [markov, random]").controls == ("markov", "random")


def test_formats_are_told_by_suffixes_packed_or_not(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "imported:\n- {name: a, run: x/a.csv.gz}\n- {name: b, run: b.run}\n- {name: c, run: c, format: csv}\n"
        "- {name: d, run: d1.csv, seed: 1}\n- {name: d, run: d2.csv, seed: 2}\n",
    )
    assert [run.read_as for run in found.imported] == ["csv", "trec", "csv", "csv", "csv"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("controls: [markof]", "3:12 controls[0]: the text 'markof' is not one of .*did you mean 'markov'?"),
        (
            "controls: [random, random]",
            "3:1 controls: controls.1. repeats controls.0.; random is given twice",
        ),
        ("controls: [item_knn]", "3:1 controls: item_knn needs a compared method that reads embeddings"),
        ("controls: yes", "3:11 controls: expected a list"),
        ("control_seeds: second", "not one of first, all"),
        ("ablations: {shuffled: {model.dropout: 0.1}}", "3:1 ablations: 'shuffled' is the name of a control"),
        ("imported: [{name: a, run: a.xls}]", "imported[0]: the suffix of a.xls is unknown"),
        ("imported: [{name: a, run: a.csv, hold: top}]", "unknown key; did you mean 'holds'"),
        ("imported: [{name: a, run: a.csv, holds: top}]", "imported[0]: give depth with `holds: top`"),
        ("imported: [{name: a, run: a.csv, depth: 5}]", "imported[0]: give depth with `holds: top`"),
        ("imported: [{name: markov, run: a.csv}]", "imported: 'markov' is an enhancer or a control"),
        ("imported: [{name: grasp, run: a.csv}]", "imported: 'grasp' is an enhancer or a control"),
        ("imported: [{name: a/b, run: a.csv}]", "imported[0].name: the text 'a/b' does not match"),
        ("imported: [{name: a, run: a.csv}, {name: a, run: b.csv}]", "several runs are called 'a'"),
        ("imported: [{name: a, run: a.csv, seed: 1}, {name: a, run: b.csv}]", "several runs are called 'a'"),
        ("hypotheses: [{better: none, than: theirs}]", "hypotheses[0].than: no method 'theirs'"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(tmp_path: Path, text: str, words: str) -> None:
    pattern = words.replace("[", r"\[").replace("]", r"\]").replace("?", r"\?")
    with pytest.raises(SpecError, match=pattern):
        read(tmp_path, text)


def test_hypotheses_may_name_controls_and_imported_runs(tmp_path: Path) -> None:
    text = "imported: [{name: theirs, run: a.csv}]\nhypotheses: [{better: theirs, than: markov}]"
    assert len(read(tmp_path, text).hypotheses) == 1
