"""Trackers on a real run, read back by what their own users read them with."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import wandb_file
from calling import call

from grasp_bench.core.errors import UnknownNameError
from grasp_bench.engine.trackers.registry import TRACKERS, TrackedRun, open_trackers

SPEC = """\
name: tracked
dataset: {source: demo, sample_users: 200}
controls: [popularity]
model: {embedding_dim: 8, max_len: 10}
training: {max_epochs: 3}
compare: {model.dropout: [0.5, 0.2]}
"""
SLUGS = ["popularity", "sasrec-none-dropout_0.2-s42", "sasrec-none-dropout_0.5-s42"]
RUN = ["run", "tracked.yaml", "--device", "cpu", "--log-format", "plain", "--executor", "in_process"]
ALL = [f"--tracker={name}" for name in TRACKERS.names()]


@dataclass(frozen=True)
class Tracked:
    """A finished run, and what the harness itself kept of it."""

    folder: Path
    told: str

    @property
    def trackers(self) -> Path:
        return self.folder / ".grasp_bench" / "trackers"

    def cell(self, slug: str) -> dict[str, Any]:
        return json.loads((self.folder / "results" / "tracked" / slug / "cell.json").read_text())

    def figures(self, slug: str) -> dict[str, float]:
        """`protocol/group/metric` of metrics.json."""
        metrics = json.loads((self.folder / "results" / "tracked" / slug / "metrics.json").read_text())
        beyond = {f"beyond/{name}": value for name, value in metrics.pop("beyond").items()}
        grouped = {
            f"{protocol}/{group}/{name}": value
            for protocol, groups in metrics.items()
            for group, found in groups.items()
            for name, value in found.items()
        }
        return {name: value for name, value in {**grouped, **beyond}.items() if value is not None}

    def curve(self, slug: str) -> list[dict[str, float]]:
        """Lines of the training's log; none of a control."""
        digest = self.cell(slug)["nodes"].get("train")
        if digest is None:
            return []
        log = self.folder / ".grasp_bench" / "train" / digest / "log.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    folder = tmp_path_factory.mktemp("tracked")
    (folder / "tracked.yaml").write_text(SPEC)
    done = call(folder, *RUN, *ALL)
    assert done.exit_code == 0, done.stderr
    assert "warning" not in done.stderr, done.stderr
    return Tracked(folder, done.stderr)


def test_said_where_they_write(tracked: Tracked) -> None:
    for name in TRACKERS.names():
        assert f"tracked by {name}: " in tracked.told
    assert not (tracked.folder / "mlruns").exists()
    assert not (tracked.folder / "wandb").exists()


@pytest.mark.parametrize("slug", SLUGS)
def test_tensorboard_reads_curves_and_figures(tracked: Tracked, slug: str) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tracked.trackers / "tensorboard" / "tracked" / slug)).Reload()
    for name in ("loss", "NDCG@10"):
        told = (
            {} if not tracked.curve(slug) else {e.step: e.value for e in events.Scalars(f"training/{name}")}
        )
        assert told == pytest.approx({line["epoch"]: line[name] for line in tracked.curve(slug)})
    for name, value in tracked.figures(slug).items():
        assert [event.value for event in events.Scalars(name)] == pytest.approx([value])
    assert {"settings", "state"} <= set(events.Tags()["tensors"])
    assert b'"spec": "tracked"' in events.Tensors("settings")[0].tensor_proto.string_val[0]


def test_tensorboard_shows_settings_as_hyperparameters(tracked: Tracked) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    events = EventAccumulator(str(tracked.trackers / "tensorboard" / "tracked" / SLUGS[1])).Reload()
    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    settings = metadata.parse_session_start_info_plugin_data(content).hparams
    assert settings["model.dropout"].number_value == 0.2
    assert settings["model.backbone"].string_value == "sasrec"


def test_mlflow_reads_runs(tracked: Tracked) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{tracked.trackers / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tracked")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert sorted(runs) == SLUGS
    for slug, run in runs.items():
        cell = tracked.cell(slug)
        assert run.info.status == "FINISHED"
        assert run.data.tags["hash"] == cell["hash"]
        assert run.data.tags["spec"] == "tracked"
        assert run.data.tags.get("seed") == (None if cell["seed"] is None else str(cell["seed"]))
        if slug != "popularity":
            assert float(run.data.params["model.dropout"]) == cell["settings"]["model"]["dropout"]
        wanted = {name.replace("@", "_at_"): value for name, value in tracked.figures(slug).items()}
        assert {name: run.data.metrics[name] for name in wanted} == pytest.approx(wanted)
        for name in ("loss", "NDCG@10") if tracked.curve(slug) else ():
            history = client.get_metric_history(run.info.run_id, name.replace("@", "_at_"))
            found = {point.step: point.value for point in history}
            assert found == pytest.approx({line["epoch"]: line[name] for line in tracked.curve(slug)})


def test_wandb_files_hold_runs(tracked: Tracked) -> None:
    runs: dict[str, Mapping[str, Any]] = {}
    for path in (tracked.trackers / "wandb").glob("offline-run-*/run-*.wandb"):
        found: dict[str, Any] = {"history": [], "summary": {}}
        for record in wandb_file.records(path):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                found |= {"run": record.run, "config": wandb_file.values(record.run.config.update)}
            elif kind == "history":
                found["history"].append(wandb_file.values(record.history.item))
            elif kind == "summary":
                found["summary"] |= wandb_file.values(record.summary.update)
            elif kind == "exit":
                found["exit"] = record.exit.exit_code
        runs[found["run"].display_name] = found
    assert sorted(runs) == SLUGS
    for slug, found in runs.items():
        assert (found["run"].run_group, found["run"].project, found["exit"]) == ("tracked", "grasp-bench", 0)
        assert found["config"]["grasp_bench"]["hash"] == tracked.cell(slug)["hash"]
        assert {k: found["summary"][k] for k in tracked.figures(slug)} == pytest.approx(tracked.figures(slug))
        curve = [(row["epoch"], row["training/loss"], row["training/NDCG@10"]) for row in found["history"]]
        lines = [(line["epoch"], line["loss"], line["NDCG@10"]) for line in tracked.curve(slug)]
        assert sorted(curve) == [pytest.approx(line) for line in lines]


def test_wandb_takes_the_longest_name_of_a_spec(tmp_path: Path) -> None:
    (tracker,) = open_trackers(["wandb"], tmp_path).values()
    run = TrackedRun("cell", "n" * 80, {}, {"dataset": "d" * 80})
    tracker.begin(run)
    tracker.end(run, {}, "finished")
    assert len(list((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))) == 1


def test_done_runs_are_told_to_nobody(tracked: Tracked) -> None:
    before = sqlite3.connect(tracked.trackers / "mlflow.db").execute("select count(*) from runs").fetchone()
    again = call(tracked.folder, *RUN, "--tracker=mlflow")
    assert "nothing to do" in again.stderr
    assert "tracked by" not in again.stderr
    assert (
        before
        == sqlite3.connect(tracked.trackers / "mlflow.db").execute("select count(*) from runs").fetchone()
    )


def test_a_name_that_is_none_stops_everything_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "tracked.yaml").write_text(SPEC)
    done = call(tmp_path, *RUN, "--tracker=tensorbord")
    assert done.exit_code == 2
    assert "did you mean 'tensorboard'" in done.stderr
    assert not (tmp_path / "results").exists()


def test_where_is_what_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    opened = open_trackers(["tensorboard=elsewhere", "mlflow", "wandb"], tmp_path)
    assert opened["tensorboard"].place == "elsewhere"
    assert opened["mlflow"].place == "http://127.0.0.1:9"
    assert opened["wandb"].place == f"project mine, offline, {tmp_path / 'wandb'}"
    with pytest.raises(UnknownNameError, match="did you mean 'tensorboard'"):
        open_trackers(["tensorbord"], tmp_path)
