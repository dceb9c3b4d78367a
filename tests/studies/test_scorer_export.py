"""An exported scorer answers what the ranker does, in a process that never heard of the harness."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from small_shop import ITEMS, USERS, Shop
from trained_shop import SETTINGS, open_trained, train
from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.core.errors import DataError, EvaluationError, StoreError
from grasp_bench.core.progress import silent
from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.rank import RankStage
from grasp_bench.studies.export import scorer as exporting
from grasp_bench.studies.export.scorer import export_scorer, padded
from grasp_bench.studies.export.scorer_program import CandidateScores, CatalogueScores
from grasp_bench.studies.serving import Serving, cell_named, open_cell

BACKBONES, ENHANCERS = ("sasrec", "gru4rec", "bert4rec"), ("none", "llminit", "rlmrec", "llmesr", "grasp")
COMPARE = f"compare={{model.backbone: [{', '.join(BACKBONES)}], model.enhancer: [{', '.join(ENHANCERS)}]}}"
ABLATIONS = "ablations={softmax: {model.attention: softmax}, blind: {model.attention: none}}"
# Written, and read by another process: one of each backbone, of each way of reading users, and two views.
WRITTEN = ("gru4rec-llmesr-s1", "bert4rec-grasp-s1", "sasrec-grasp-softmax-s1")
READER = """
import contextlib, io, json, os, sys, torch
sys.modules["grasp_bench"] = None  # importing it is an error from here on
answers = []
for folder, asked in zip(sys.argv[1::2], sys.argv[2::2]):
    given = {name: torch.tensor(value) for name, value in json.load(open(asked)).items()}
    users = [given[name] for name in ("own", "similar") if name in given]
    with torch.no_grad():
        whole = torch.export.load(folder + "/catalogue.pt2").module()
        few = torch.export.load(folder + "/candidates.pt2").module()
        found = {"catalogue": whole(given["history"], *users).tolist(),
                 "candidates": few(given["history"], given["candidates"], *users).tolist(),
                 "alone": [whole(given["history"][k:k + 1], *[u[k:k + 1] for u in users])[0].tolist()
                           for k in (0, 7)]}
        given["history"][1] = -1
        found["one empty"] = whole(given["history"], *users).tolist()
        found["few, one empty"] = few(given["history"], given["candidates"], *users).tolist()
    os.chdir(folder)  # where its README has an example
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(open("README.md").read().partition("```python\\n")[2].partition("```")[0], {})
    answers.append((found, printed.getvalue()))
json.dump(answers, sys.stdout)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, Plan]:
    return open_trained(tmp_path_factory.mktemp("scorer") / "shop", COMPARE, ABLATIONS)


@pytest.fixture(scope="module")
def exports(trained: tuple[Shop, Plan], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scorer of each cell in WRITTEN, by the command."""
    shop, folder = trained[0], tmp_path_factory.mktemp("exports")
    for slug in WRITTEN:
        done = export(shop, slug, folder / slug)
        assert done.exit_code == 0, done.output
    return folder


def export(shop: Shop, slug: str, to: Path) -> Result:
    sets = [part for change in (*SETTINGS, COMPARE, ABLATIONS) for part in ("--set", change)]
    asked = ["export", "scorer", shop.spec, *sets, "--store", shop.store.root, "--cell", slug, "--out", to]
    return CliRunner().invoke(app, [*map(str, asked)])


def ranked(cell: Cell, store: Store) -> tuple[list[int], list[list[int]], np.ndarray]:
    """Users, the items known of them, and the ranker's scores of the catalogue: no code of the export's."""
    node = cell.nodes["rank"]
    inputs = {role: store.get(each.stage, each.hash) for role, each in node.inputs.items()}
    ranker, scorer = RankStage().scoring(node, inputs, RunContext("cpu", 1, silent))
    scores = np.concatenate([full.numpy() for _, _, full in ranker.catalogue_scores(scorer, False)])
    queries = ranker.queries
    users = queries.users_Q.tolist()
    histories = [queries.items_flat[queries.offsets[u] : queries.offsets[u + 1]].tolist() for u in users]
    return users, histories, scores


@pytest.mark.parametrize(
    "slug", [f"{b}-{e}-s1" for b in BACKBONES for e in ENHANCERS] + ["sasrec-grasp-blind-s1"]
)
def test_programs_score_as_the_ranker_before_they_are_written(trained: tuple[Shop, Plan], slug: str) -> None:
    """All pairs, unexported: padded histories, of users told by their vectors."""
    shop, plan = trained
    cell = cell_named(plan, slug)
    users, histories, wanted = ranked(cell, shop.store)
    opened = open_cell(cell, shop.store)
    profiles = opened.recommender.enhancer.profiles(torch.tensor(users))
    vectors = [] if profiles is None else [profiles.own_BD, profiles.similar_BD]
    history = padded([np.array(items) for items in histories])
    with torch.no_grad():
        whole = CatalogueScores(opened.recommender, opened.max_len)(history, *vectors)
        few = CandidateScores(opened.recommender, opened.max_len)(
            history, torch.arange(ITEMS).expand(USERS, -1), *vectors
        )
    np.testing.assert_allclose(whole.numpy(), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(few.numpy(), wanted, rtol=1e-5, atol=1e-6)


def asked_of(trained: tuple[Shop, Plan], slug: str) -> dict[str, list[Any]]:
    """Candidates, and histories of unequal lengths, padded on the left too: -1 is no item anywhere."""
    shop, plan = trained
    cell = cell_named(plan, slug)
    users, histories, _ = ranked(cell, shop.store)
    candidates = np.random.default_rng(1).integers(0, ITEMS, (len(users), 9))
    longest = max(map(len, histories)) + 2
    rows = [
        [-1] * (k % 3) + items + [-1] * (longest - len(items) - k % 3) for k, items in enumerate(histories)
    ]
    profiles = open_cell(cell, shop.store).recommender.enhancer.profiles(torch.tensor(users))
    asked = {"history": rows, "candidates": candidates.tolist()}
    if profiles is not None:
        asked |= {"own": profiles.own_BD.tolist(), "similar": profiles.similar_BD.tolist()}
    return asked


Answers = dict[str, tuple[dict[str, np.ndarray], str]]


@pytest.fixture(scope="module")
def answers(trained: tuple[Shop, Plan], exports: Path, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What each scorer in WRITTEN says, and its README prints, in one process without the harness."""
    folder = tmp_path_factory.mktemp("asked")
    for slug in WRITTEN:
        (folder / f"{slug}.json").write_text(json.dumps(asked_of(trained, slug)))
    pairs = [str(each) for slug in WRITTEN for each in (exports / slug, folder / f"{slug}.json")]
    done = subprocess.run(
        [sys.executable, "-c", READER, *pairs],
        capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = zip(WRITTEN, json.loads(done.stdout), strict=True)
    return {
        slug: ({name: np.array(value) for name, value in each.items()}, printed)
        for slug, (each, printed) in found
    }


@pytest.mark.parametrize("slug", WRITTEN)
def test_a_fresh_process_without_the_harness_scores_the_same(
    trained: tuple[Shop, Plan], answers: Answers, slug: str
) -> None:
    shop, plan = trained
    users, _, wanted = ranked(cell_named(plan, slug), shop.store)
    found, candidates = answers[slug][0], np.array(asked_of(trained, slug)["candidates"])
    np.testing.assert_allclose(found["catalogue"], wanted, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["alone"], wanted[[0, 7]], rtol=1e-5, atol=1e-5)
    # Of whom nothing is known there is no answer, and least of all somebody else's.
    for empty, full in (("one empty", "catalogue"), ("few, one empty", "candidates")):
        assert np.isnan(found[empty][1]).all()
        others = np.arange(len(users)) != 1
        np.testing.assert_allclose(found[empty][others], found[full][others], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        found["candidates"], np.take_along_axis(wanted, candidates, axis=1), rtol=1e-5, atol=1e-5
    )
    top = np.argsort(-wanted, axis=1, kind="stable")[:, :10]
    assert np.array_equal(np.argsort(-found["catalogue"], axis=1, kind="stable")[:, :10], top)


@pytest.mark.parametrize("slug", WRITTEN)
def test_the_folder_holds_what_its_manifest_says(exports: Path, slug: str) -> None:
    folder = exports / slug
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["cell"] == slug
    assert set(manifest["files"]) == {path.name for path in folder.iterdir()} - {"manifest.json", "README.md"}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert set(json.loads((folder / "items.json").read_text())) == {f"i{k}" for k in range(ITEMS)}
    for name in ("catalogue.pt2", "candidates.pt2"):
        with zipfile.ZipFile(folder / name) as archive:
            told = b"".join(archive.read(each) for each in archive.namelist() if each.endswith(".json"))
            # Weights of training alone, our own paths, and pickles have no business in it.
            assert b"nearest_users" not in told
            assert b"users_nD" not in told
            assert b"stack_trace" not in told
            assert not [e for e in archive.infolist() if e.filename.endswith(".pt") and e.file_size]


def test_the_readmes_examples_run_in_their_folders(exports: Path, answers: Answers) -> None:
    """With users' vectors and without."""
    for slug in WRITTEN:
        example = (exports / slug / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
        assert (
            ("users.safetensors" in example) == ("grasp" in slug) == (exports / slug / "users.json").exists()
        )
        assert answers[slug][1].count("'i") == 10


def test_an_export_does_not_take_the_place_of_other_files(
    trained: tuple[Shop, Plan], exports: Path, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("…")
    done = export(trained[0], "sasrec-none-s1", tmp_path)
    assert (done.exit_code, "holds something that is no scorer" in done.output) == (5, True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert {path.name for path in exports.iterdir()} == set(WRITTEN)  # and nothing half-written


def test_what_cannot_be_exported_is_said(
    trained: tuple[Shop, Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, plan = trained
    with pytest.raises(StoreError, match="is not trained yet"):
        export_scorer(cell_named(plan, "sasrec-none-s1"), "shop", Store(tmp_path / "empty"), tmp_path / "a")
    prefix = train(shop, "compare={model.enhancer: [grasp]}", "text.users.scope=prefix")
    with pytest.raises(DataError, match="another profile at every position"):
        export_scorer(cell_named(prefix, "sasrec-grasp-s1"), "shop", shop.store, tmp_path / "b")
    # A model that says something else once it is written: nothing of it is left behind.
    honest = Serving.all_scores
    monkeypatch.setattr(Serving, "all_scores", lambda self, requests: honest(self, requests) + 0.1)
    monkeypatch.setattr(exporting, "PROGRAMS", {"catalogue": CatalogueScores})
    with pytest.raises(EvaluationError, match="scores otherwise than the harness"):
        export_scorer(cell_named(plan, "sasrec-none-s1"), "shop", shop.store, tmp_path / "c")
    assert not list(tmp_path.iterdir())
