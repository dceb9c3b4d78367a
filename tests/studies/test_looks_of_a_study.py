"""Seeds until it is decided: real trainings of seconds, verdicts by a script, so that each look is known."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grasp_bench.core.store import Store
from grasp_bench.engine.run import RunConfig
from grasp_bench.plan.compile import compile_plan
from grasp_bench.report.comparable_cells import StoredResults
from grasp_bench.report.methods import Method
from grasp_bench.report.schema import Claim
from grasp_bench.report.study import read_study
from grasp_bench.report.user_values import UserValues
from grasp_bench.spec.loading import load_text
from grasp_bench.studies import looks
from grasp_bench.studies.looks import Judgement, SeedCounts
from grasp_bench.studies.running import StudyRun, run_study

SPEC = """\
name: looked
dataset: {source: demo, sample_users: 150}
controls: [popularity]
model: {embedding_dim: 8, max_len: 10}
training: {max_epochs: 1}
seeds: {from: 1, least: 2, most: 5, until: decided}
ablations: {fast: {training.lr: 0.01}, slow: {training.lr: 0.0001}}
hypotheses:
  - {better: none/fast, than: none, protocol: full}
  - {better: none/slow, than: popularity, protocol: full}
"""
FAST, SLOW = "none/fast", "none/slow"


@dataclass
class Place:
    """A folder to run in, a store, and after how many trainings each hypothesis is to be decided."""

    folder: Path
    store: Path
    decided_after: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def run(self, only: str = "*", tell: Callable[[str], None] | None = None) -> StudyRun:
        self.lines.clear()
        loaded = load_text(SPEC)
        shop = RunConfig(self.store, self.folder / "results", ("cpu",), "in_process", "plain")
        return run_study(loaded, compile_plan(loaded.experiment, str), only, shop, tell or self.lines.append)

    @property
    def results(self) -> Path:
        return self.folder / "results" / "looked"

    def trained(self) -> dict[str, str]:
        """When each training was finished, by its hash."""
        store = Store(self.store)
        return {found.sidecar["hash"]: found.sidecar["finished"] for found in store.artefacts("train")}


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store for all tests that do not ask what was trained when."""
    return tmp_path_factory.mktemp("trainings")


@pytest.fixture
def place(tmp_path: Path, trainings: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Both hypotheses are decided at the first look unless the test says otherwise."""
    here, judge = Place(tmp_path, trainings), looks.judge

    def scripted(stored: StoredResults, values: UserValues) -> list[Any]:
        def verdict(claim: Claim) -> dict[str, Any]:
            cells = [c for c in stored.collected.cells if stored.labels[c.method] == claim["better"]]
            enough = len(cells) >= here.decided_after.get(claim["better"], 2)
            return {"verdict": "supported" if enough else "undecided", "look": len(cells)}

        return [{**claim, **verdict(claim)} for claim in judge(stored, values)]

    monkeypatch.setattr(looks, "judge", scripted)
    return here


def seeds_of(ran: StudyRun) -> dict[str, int]:
    """How many cells each method has in the plan that the run ended with."""
    return dict(Counter(cell.ablation or cell.name or "none" for cell in ran.planned.cells))


def test_what_is_decided_at_first_gets_no_more(place: Place) -> None:
    ran = place.run()
    assert seeds_of(ran) == {"none": 2, "fast": 2, "slow": 2, "popularity": 1}
    assert read_study(place.results).looks == (2, 3, 5)
    assert place.lines == [
        "supported: none/fast over none (NDCG@10, full, after 2 trainings)",
        "supported: none/slow over popularity (NDCG@10, full, after 2 trainings)",
    ]


def test_methods_of_undecided_hypotheses_alone_are_trained_further(place: Place) -> None:
    place.decided_after, place.store = {FAST: 3}, place.folder / "store"
    ran = place.run()
    assert seeds_of(ran) == {"none": 3, "fast": 3, "slow": 2, "popularity": 1}
    assert place.lines == [
        "1 of 2 hypotheses undecided: none/fast over none (NDCG@10, full, after 2 trainings); "
        "next: none to 3 seeds, none/fast to 3 seeds",
        "supported: none/fast over none (NDCG@10, full, after 3 trainings)",
        "supported: none/slow over popularity (NDCG@10, full, after 2 trainings)",
    ]
    told, trained, study = (
        [*place.lines],
        place.trained(),
        (place.results / "study.json").read_bytes(),
    )
    assert len(trained) == 8
    again = place.run()
    assert (again.planned, place.lines, place.trained()) == (ran.planned, told, trained)
    assert (place.results / "study.json").read_bytes() == study


def test_a_run_stopped_between_two_looks_ends_where_it_would_have(
    place: Place, trainings: Path, tmp_path: Path
) -> None:
    place.decided_after, place.store = {FAST: 5}, tmp_path / "store"

    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.run(tell=stop)
    assert len(place.trained()) == 6
    resumed = place.run()
    assert seeds_of(resumed) == {"none": 5, "fast": 5, "slow": 2, "popularity": 1}
    planned, lines = json.loads((place.results / "study.json").read_text())["planned"], [*place.lines]
    place.folder, place.store = tmp_path / "at once", trainings
    place.run()
    assert json.loads((place.results / "study.json").read_text())["planned"] == planned
    assert place.lines == lines


def test_a_control_gets_no_seeds_and_at_most_it_ends_undecided(place: Place) -> None:
    place.decided_after = {SLOW: 99}
    assert seeds_of(place.run()) == {"none": 2, "fast": 2, "slow": 5, "popularity": 1}
    assert (
        place.lines[-1]
        == "not supported (undecided): none/slow over popularity (NDCG@10, full, after 5 trainings)"
    )


def test_a_failed_cell_ends_it_at_its_look(place: Place) -> None:
    place.decided_after, place.store = {FAST: 5}, place.folder / "store"
    place.results.mkdir(parents=True)
    blocked = place.results / "sasrec-none-fast-s3"
    blocked.write_text("where the cell's folder should be")
    ran = place.run()
    assert list(ran.outcome.failed) == ["sasrec-none-fast-s3"]
    assert seeds_of(ran) == {"none": 3, "fast": 3, "slow": 2, "popularity": 1}
    blocked.unlink()
    assert seeds_of(place.run())["fast"] == 5


def test_only_filters_every_look_and_a_look_at_part_of_the_seeds_is_none(place: Place) -> None:
    place.decided_after, place.store = {FAST: 5, SLOW: 3}, place.folder / "store"
    ran = place.run(only="*-s[12]")
    assert not any(cell.seed == 3 for cell in ran.chosen.cells)
    assert seeds_of(ran) == {"none": 3, "fast": 3, "slow": 2, "popularity": 1}  # popularity was not run
    assert len(place.trained()) == 6
    ran = place.run(only="*-slow-*")
    assert {cell.ablation for cell in ran.chosen.cells} == {"slow"}


SASREC, SHUFFLED, MARKOV, THEIRS = (
    Method("demo", "sasrec", "grasp"),
    Method("demo", "sasrec", "grasp", "shuffled", kind="control"),
    Method("demo", None, None, name="markov", kind="control"),
    Method("demo", None, None, name="theirs", kind="imported"),
)
LABELS = {SASREC: "grasp", SHUFFLED: "grasp/shuffled", MARKOV: "markov", THEIRS: "theirs"}


@pytest.mark.parametrize(
    ("than", "limits", "expected"),
    [
        ("markov", {}, 5),
        ("grasp/shuffled", {SHUFFLED: 1}, 3),  # a look takes as many of either side
        ("theirs", {THEIRS: 3}, 3),
        ("theirs", {THEIRS: 8}, 5),
    ],
)
def test_seeds_are_added_where_they_can_decide(than: str, limits: dict[Method, int], expected: int) -> None:
    counts = {SASREC: 3} | ({SHUFFLED: 1} if SHUFFLED in limits else {})
    start = SeedCounts(counts, {SASREC: 12, **limits}, (3, 5, 8, 12))
    claim: Any = {"better": "grasp", "than": than, "verdict": "undecided"}
    stored: Any = SimpleNamespace(labels=LABELS, partitions=())
    assert start.further(Judgement(stored, [claim])).counts[SASREC] == expected


def test_a_method_is_extended_once_for_all_hypotheses_that_name_it() -> None:
    other = Method("demo", "sasrec", "none")
    start = SeedCounts({SASREC: 5, other: 3}, {SASREC: 12, other: 12}, (3, 5, 8, 12))
    claims: Any = [
        {"better": "grasp", "than": "none", "verdict": "undecided"},
        {"better": "grasp", "than": "markov", "verdict": "supported"},
    ]
    stored: Any = SimpleNamespace(labels={**LABELS, other: "none"}, partitions=())
    first = start.further(Judgement(stored, claims))
    assert first.counts == {SASREC: 5, other: 5}  # the other catches up before both go on
    assert first.further(Judgement(stored, [claims[0], claims[0]])).counts == {SASREC: 8, other: 8}
