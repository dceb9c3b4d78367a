"""MLflow: a spec is an experiment, a cell a run; by default in an SQLite file that `mlflow ui` reads.

The SQLite file needs SQLAlchemy. A tracking server (`--tracker mlflow=http://…`, or MLFLOW_TRACKING_URI)
does not.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grasp_bench.core.machine import require
from grasp_bench.engine.trackers.registry import EXTRA, State, TrackedRun

FILE = "mlflow.db"
STATUS: Mapping[State, str] = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
TALKATIVE = ("alembic", "mlflow")  # they log every table that they create
METRICS_AT_ONCE, PARAMETERS_AT_ONCE, LONGEST = 1000, 100, 6000  # what one request may hold
_REFUSED = re.compile(r"[^\w\-. :/]")  # in the name of a metric


class MLflowTracker:
    """Curves and final figures as metrics, settings as params; "@" in a metric's name becomes "_at_"."""

    def __init__(self, where: str | None, folder: Path) -> None:
        self._uri = where or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.absolute() / FILE}"
        if self._uri.startswith("sqlite:"):
            require("sqlalchemy", extra=EXTRA)
            require("alembic", extra=EXTRA)
            folder.mkdir(parents=True, exist_ok=True)
        require("mlflow", extra=EXTRA)
        self._entities = require("mlflow.entities", extra=EXTRA)
        self._folder = folder
        self._opened: Any = None
        self._ids: dict[TrackedRun, str] = {}
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)

    @property
    def place(self) -> str:
        """The tracking URI."""
        return self._uri

    def begin(self, run: TrackedRun) -> None:
        """Create a run in the spec's experiment, and the experiment with its first run."""
        experiment = self._client.get_experiment_by_name(run.group)
        found = experiment.experiment_id if experiment is not None else self._new_experiment(run.group)
        made = self._client.create_run(found, run_name=run.name, tags=dict(run.tags))
        self._ids[run] = made.info.run_id
        params = [
            self._entities.Param(_named(key), str(value)[:LONGEST]) for key, value in run.parameters.items()
        ]
        for start in range(0, len(params), PARAMETERS_AT_ONCE):
            self._client.log_batch(self._ids[run], params=params[start : start + PARAMETERS_AT_ONCE])

    def log(self, run: TrackedRun, epoch: int, figures: Mapping[str, float]) -> None:
        """Log one metric for each figure, with the epoch as step."""
        now = round(1000 * time.time())
        metrics = [self._entities.Metric(_named(name), v, now, epoch) for name, v in figures.items()]
        for start in range(0, len(metrics), METRICS_AT_ONCE):
            self._client.log_batch(self._ids[run], metrics=metrics[start : start + METRICS_AT_ONCE])

    def end(self, run: TrackedRun, figures: Mapping[str, float], state: State) -> None:
        """Add the final figures and close the run."""
        self.log(run, 0, figures)
        self._client.set_terminated(self._ids.pop(run), STATUS[state])

    @property
    def _client(self) -> Any:
        """The client, created in the thread that uses it; creating the tables of a new file takes seconds."""
        if self._opened is None:
            self._opened = require("mlflow", extra=EXTRA).MlflowClient(tracking_uri=self._uri)
        return self._opened

    def _new_experiment(self, name: str) -> str:
        """Create an experiment whose artefact folder (always empty) is below the store."""
        here = self._uri.startswith("sqlite:")
        artefacts = (self._folder.absolute() / "mlflow").as_uri() if here else None
        return str(self._client.create_experiment(name, artifact_location=artefacts))


def _named(name: str) -> str:
    return _REFUSED.sub("_", name.replace("@", "_at_"))
