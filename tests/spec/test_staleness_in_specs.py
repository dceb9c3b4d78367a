"""`text.users.stale`: what it may stand beside, and that saying 0 changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.plan.compile import compile_plan
from grasp_bench.plan.fingerprints import Fingerprints
from grasp_bench.spec.loading import load

BASE = """
name: old
dataset: {source: demo}
model: {enhancer: grasp}
controls: []
"""


def spec_of(folder: Path, more: str) -> Path:
    path = folder / "old.yaml"
    path.write_text(BASE + more)
    return path


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("text: {users: {provider: template, stale: -1}}", "text.users.stale: must be at least 0"),
        ("text: {users: {provider: template, stale: 1.5}}", "text.users.stale: expected a whole number"),
        ("text: {users: {provider: template, stale: true}}", "text.users.stale: expected a whole number"),
        (
            "text: {items: {provider: template, stale: 2}}",
            "texts of items are made from no history: leave stale out",
        ),
        ("text: {users: {provider: template, stale: 2, scope: prefix}}", "(scope: prefix) is never old"),
        (
            "text: {users: {provider: precomputed, path: t.csv, stale: 2}}",
            "texts of a file cannot be made older",
        ),
        (
            "text: {users: {provider: template, stale: 2}}\n"
            "encoder: {kind: precomputed, users: u.npy, items: i.npy}",
            "precomputed vectors cannot be recomputed for older profiles",
        ),
        (
            "text: {users: {provider: template, scope: prefix}}\ncompare: {text.users.stale: [0, 1]}",
            "(scope: prefix) is never old",
        ),
    ],
)
def test_what_cannot_be_old_is_refused(tmp_path: Path, more: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(spec_of(tmp_path, more))
    (problem,) = caught.value.problems
    assert expected in problem
    assert problem.startswith(f"{tmp_path}/old.yaml:")


def test_zero_is_fresh_by_the_same_names(tmp_path: Path) -> None:
    plans = [
        compile_plan(load(spec_of(tmp_path, more)).experiment, Fingerprints())
        for more in (
            "",
            "text: {users: {provider: template, stale: 0}, items: {provider: template, stale: 0}}",
            "text: {users: {provider: template, stale: 1}}",
        )
    ]
    base, zero, one = ([node.hash for node in plan.nodes] for plan in plans)
    assert base == zero
    changed = {node.stage for node in plans[2].nodes if node.hash not in base}
    assert changed == {"text", "embeddings", "neighbours", "train", "rank", "metrics"}
    assert len(set(base) & set(one)) == 5  # split, candidates, and the items' text, embeddings, neighbours


def test_methods_without_users_texts_collapse(tmp_path: Path) -> None:
    more = "compare: {model.enhancer: [none, llminit, grasp], text.users.stale: [0, 1, 2]}"
    plan = compile_plan(load(spec_of(tmp_path, more)).experiment, Fingerprints())
    assert [cell.slug for cell in plan.cells] == [
        "sasrec-none-s42", "sasrec-llminit-s42",
        "sasrec-grasp-stale_0-s42", "sasrec-grasp-stale_1-s42", "sasrec-grasp-stale_2-s42",
    ]  # fmt: skip
