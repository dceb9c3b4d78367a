"""The audit of a spec: real runs on a small shop, verdicts and orders by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from grasp_bench.core.errors import RunFailedError
from grasp_bench.engine.run import RunConfig
from grasp_bench.plan.fingerprints import Fingerprints
from grasp_bench.report.renderers.markdown import document_text
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.protocols import PAPER, STRICT
from grasp_bench.studies.audit.compare import Audit, kendall, run_audit
from grasp_bench.studies.audit.layout import lay_out_audit
from grasp_bench.studies.audit.variants import (
    HAZARDS,
    hazard_variants,
    order_hazard,
    protocol_variants,
    protocols_that_fit,
)

SPEC = """
name: shop
dataset: {{source: {folder}, protocol: {{negatives: 10}}}}
model: {{embedding_dim: 8, max_len: 8}}
training: {{max_epochs: 1, batch_size: 64}}
controls: [popularity, markov, constant]
hypotheses:
  - {{better: markov, than: popularity}}
  - {{better: markov, than: constant}}
"""


def write_shop(folder: Path, column: str) -> Path:
    """A shop in which one item follows another for certain: Markov is right, popularity is not."""
    rng = np.random.default_rng(1)
    rows = []
    for user in range(80):
        first, start = int(rng.integers(30)), int(rng.integers(10**6)) if column == "timestamp" else 0
        rows += [(f"u{user}", f"i{(first + k) % 30}", start + k) for k in range(6)]
    folder.mkdir()
    schema = ["user_id", "item_id", column]
    pl.DataFrame(rows, schema=schema, orient="row").write_csv(folder / "interactions.csv")
    spec = folder / "shop.yaml"
    spec.write_text(SPEC.format(folder=folder))
    return spec


def audited(spec: Path, place: Path, overrides: tuple[str, ...] = ()) -> tuple[Audit, list[str]]:
    said: list[str] = []
    variants = protocol_variants(spec, overrides, protocols_that_fit(spec, overrides), Fingerprints())
    hazards = list(hazard_variants(spec, overrides, variants[1], Fingerprints()))
    shop = RunConfig(place / "store", place / "results", ("cpu",), executor="in_process", log_format="plain")
    return run_audit(variants, hazards, shop, said.append), said


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Audit, Path, Path]:
    place = tmp_path_factory.mktemp("audit")
    spec = write_shop(place / "data", "position")
    return audited(spec, place)[0], place, spec


def test_verdicts_under_each_protocol(made: tuple[Audit, Path, Path]) -> None:
    audit = made[0]
    assert audit.rankings == {"paper": "sampled", "strict": "full"}
    markov, constant = audit.conclusions
    assert (markov.better, markov.than) == ("markov", "popularity")
    assert {p: o.verdict for p, o in markov.outcomes.items()} == {"paper": "holds", "strict": "holds"}
    # Optimistic ties put a constant first everywhere; Markov is nearly always right, and not better.
    assert constant.outcomes["paper"].verdict in ("reversed", "not distinguishable")
    assert constant.outcomes["strict"].verdict == "holds"
    assert audit.figures["paper"]["constant"] == 1.0
    assert audit.missing == ()


def test_each_hazard_is_measured_alone(made: tuple[Audit, Path, Path]) -> None:
    effects = {each.hazard.name: {e.method: e for e in each.effects} for each in made[0].hazards}
    assert set(effects) == {
        "causal", "candidates", "count_on", "first_user", "ties", "also_full_ranking", "validation_negatives",
        "ascending_runs",
    }  # fmt: skip
    assert set(effects["causal"]) == set(effects["validation_negatives"]) == {"none"}
    assert effects["ties"]["constant"].with_it == 1.0
    strict = made[0].figures["strict"]
    assert effects["ties"]["constant"].without == strict["constant"]
    # Ranks of a constant are a matter of counting: chance among 30 items, and among 11.
    gains = [1 / np.log2(rank + 1) for rank in range(1, 11)]
    chance = effects["also_full_ranking"]["constant"]
    assert chance.with_it == pytest.approx(sum(gains) / 11)
    assert chance.low == pytest.approx(chance.with_it - chance.without, abs=0.02)


def test_models_are_trained_again_only_where_training_is_concerned(made: tuple[Audit, Path, Path]) -> None:
    store = made[1] / "store"
    # strict, paper, causal off, validation negatives outside all, ascending runs shuffled
    assert len(list((store / "train").glob("*/artefact.json"))) == 5


def test_the_files_order_is_the_habit_and_its_arm_the_one_without(made: tuple[Audit, Path, Path]) -> None:
    (found,) = (each for each in made[0].hazards if each.hazard.in_strict)
    assert found.hazard.key == "dataset.repair.ascending_runs"
    effects = {each.method: each for each in found.effects}
    assert set(effects) == {"none", "popularity", "markov", "constant"}
    markov = effects["markov"]
    assert markov.with_it == made[0].figures["strict"]["markov"]
    # Shuffled, the chain of ascending items is gone: the published habit gave Markov its lead.
    assert markov.low is not None
    assert 0 < markov.low < markov.with_it - markov.without
    page = document_text(lay_out_audit(made[0]))
    assert "its arm shuffles" in page
    assert "Not measured" not in page


def test_where_the_file_decides_nothing_there_is_nothing_to_shuffle(tmp_path: Path) -> None:
    times = Dataset(source=str(write_shop(tmp_path / "times", "timestamp").parent))
    assert order_hazard(times).why_not.endswith("nothing to shuffle")
    tied = pl.read_csv(tmp_path / "times" / "interactions.csv").with_columns(pl.col("timestamp") // 4)
    (tmp_path / "tied").mkdir()
    tied.write_csv(tmp_path / "tied" / "interactions.csv")
    days = Dataset(source=str(tmp_path / "tied"))
    assert (order_hazard(days).key, order_hazard(days).why_not) == ("dataset.repair.time_ties", "")
    numbers = "".join(f"{user},{user + k},{k}\n" for user in range(60) for k in range(4))
    (tmp_path / "numbered").mkdir()
    (tmp_path / "numbered" / "interactions.csv").write_text("user_id,item_id,position\n" + numbers)
    assert (
        "numbers in the order of the file" in order_hazard(Dataset(source=str(tmp_path / "numbered"))).why_not
    )
    mended = Dataset(source=str(tmp_path / "tied"), repair={"time_ties": "block"})
    assert "the spec itself" in order_hazard(mended).why_not


def test_methods_told_of_the_files_order_are_left_out(tmp_path: Path) -> None:
    spec = write_shop(tmp_path / "data", "position")
    for side, count in (("user", 80), ("item", 30)):
        np.save(tmp_path / f"{side}s.npy", np.eye(count, 30, dtype=np.float32) + 0.1)
        (tmp_path / f"{side}s.ids.txt").write_text("".join(f"{side[0]}{k}\n" for k in range(count)))
    files = [f"encoder.{side}={tmp_path}/{side}.npy" for side in ("users", "items")]
    told = ["encoder.kind=precomputed", *files, "compare={model.enhancer: [none, llminit, grasp]}"]
    (variant,) = protocol_variants(spec, told, ["strict"], Fingerprints())
    hazard, shuffled = list(hazard_variants(spec, told, variant, Fingerprints()))[-1]
    assert "made from the file's order" in hazard.left_out
    assert shuffled is not None
    assert {cell.slug for cell in shuffled.plan.cells} == {
        "sasrec-none-s42", "sasrec-llminit-s42", "popularity", "markov", "constant",
    }  # fmt: skip


def test_it_is_all_there_the_second_time(made: tuple[Audit, Path, Path]) -> None:
    first, place, spec = made
    before = {path: path.stat().st_mtime_ns for path in (place / "store").rglob("artefact.json")}
    again, said = audited(spec, place)
    assert again == first
    assert said[:2] == ["paper:", "strict:"]
    assert before == {path: path.stat().st_mtime_ns for path in (place / "store").rglob("artefact.json")}
    stored = json.loads((place / "results" / "shop" / "audit.json").read_text())
    assert stored["conclusions"][0]["outcomes"]["strict"]["verdict"] == "holds"


def test_the_page_says_what_survives(made: tuple[Audit, Path, Path]) -> None:
    page = document_text(lay_out_audit(made[0]))
    plain = page.replace("\\", "")
    assert "markov > popularity survives." in plain
    assert "markov > constant does not hold even as published: " in plain
    assert "# Protocol audit: shop" in page
    assert "The target comes first among its ties" in page
    assert "temporal" not in page
    assert "-0.00" not in page


def test_data_with_times_are_split_in_time_as_well(tmp_path: Path) -> None:
    spec = write_shop(tmp_path / "data", "timestamp")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        wide = ("dataset.protocol.temporal.valid_share=0.3", "dataset.protocol.temporal.test_share=0.3")
        assert protocols_that_fit(spec, wide) == ["paper", "strict"]  # nobody comes back after a million
    stretched = pl.read_csv(tmp_path / "data" / "interactions.csv").with_columns(
        pl.col("timestamp") % 10 * 10**5 + pl.col("timestamp") // 10
    )
    stretched.sort("user_id", "timestamp").write_csv(tmp_path / "data" / "interactions.csv")
    assert protocols_that_fit(spec, ()) == ["paper", "strict", "temporal"]
    assert protocols_that_fit(spec, ("dataset.protocol.split=leave_one_out",)) == ["paper", "strict"]


def test_what_the_spec_fixes_is_told(tmp_path: Path) -> None:
    spec = write_shop(tmp_path / "data", "position")
    variants = protocol_variants(spec, ["dataset.protocol.ties=mean"], ["paper", "strict"], Fingerprints())
    assert [variant.fixed for variant in variants] == [("dataset.protocol.ties",)] * 2


def test_a_failure_names_the_arm(tmp_path: Path) -> None:
    spec = write_shop(tmp_path / "data", "position")
    with pytest.raises(RunFailedError, match=r"shop/paper: .* cells failed"):
        audited(spec, tmp_path, ("dataset.protocol.negatives=29",))


def test_every_key_of_the_presets_is_explained() -> None:
    differing = {key for key in PAPER if key in STRICT and PAPER[key] != STRICT[key]}
    assert {hazard.key for hazard in HAZARDS} == differing


def test_kendall_counts_pairs_and_leaves_out_what_knows_nothing() -> None:
    first = {"a": 0.3, "b": 0.2, "c": 0.1, "constant": 0.9}
    # Of the three pairs one is the other way: (2 - 1) / 3.
    assert kendall(first, {"a": 0.3, "b": 0.1, "c": 0.2, "constant": 0.0}) == pytest.approx(1 / 3)
    assert kendall(first, {"a": 1.0, "constant": 0.1}) is None
