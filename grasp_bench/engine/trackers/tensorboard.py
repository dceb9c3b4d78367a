"""TensorBoard: one event file per cell, in `<where>/<spec>/<cell>`; see `tensorboard --logdir <where>`.

A cell that runs again writes beside its earlier attempt, which TensorBoard then ignores.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grasp_bench.core.machine import require
from grasp_bench.engine.trackers.registry import EXTRA, State, TrackedRun


class TensorBoardTracker:
    """Curves as scalars, settings for the HParams view and as text."""

    def __init__(self, where: str | None, folder: Path) -> None:
        self._folder = Path(where) if where else folder / "tensorboard"
        self._writing = require("tensorboard.summary.writer.event_file_writer", extra=EXTRA)
        self._events = require("tensorboard.compat.proto.event_pb2", extra=EXTRA)
        self._summaries = require("tensorboard.compat.proto.summary_pb2", extra=EXTRA)
        self._hparams = require("tensorboard.plugins.hparams.summary_v2", extra=EXTRA)
        self._text = require("tensorboard.plugins.text.metadata", extra=EXTRA)
        self._tensors = require("tensorboard.util.tensor_util", extra=EXTRA)
        self._open: dict[TrackedRun, Any] = {}

    @property
    def place(self) -> str:
        """The folder for --logdir."""
        return str(self._folder)

    def begin(self, run: TrackedRun) -> None:
        """Open an event file that replaces the events of an earlier attempt."""
        writer = self._writing.EventFileWriter(str(self._folder / run.group / run.name))
        self._open[run] = writer
        start = self._events.SessionLog(status=self._events.SessionLog.START)
        writer.add_event(self._events.Event(wall_time=time.time(), step=0, session_log=start))
        self._add(run, 0, self._hparams.hparams_pb(dict(run.parameters)))
        said = json.dumps({**run.tags, **run.parameters}, indent=2, ensure_ascii=False)
        self._add(run, 0, self._summaries.Summary(value=[self._as_text("settings", f"```\n{said}\n```")]))

    def log(self, run: TrackedRun, epoch: int, figures: Mapping[str, float]) -> None:
        """Log one scalar for each figure."""
        values = self._scalars({f"training/{name}": value for name, value in figures.items()})
        self._add(run, epoch, self._summaries.Summary(value=values))

    def end(self, run: TrackedRun, figures: Mapping[str, float], state: State) -> None:
        """Log the final figures as scalars of step 0."""
        values = [*self._scalars(figures), self._as_text("state", state)]
        self._add(run, 0, self._summaries.Summary(value=values))
        self._open.pop(run).close()

    def _add(self, run: TrackedRun, step: int, summary: Any) -> None:
        event = self._events.Event(wall_time=time.time(), step=step, summary=summary)
        self._open[run].add_event(event)

    def _scalars(self, figures: Mapping[str, float]) -> list[Any]:
        value_of = self._summaries.Summary.Value
        return [value_of(tag=name, simple_value=value) for name, value in figures.items()]

    def _as_text(self, tag: str, text: str) -> Any:
        metadata = self._text.create_summary_metadata(display_name=tag, description="")
        tensor = self._tensors.make_tensor_proto([text.encode()])
        return self._summaries.Summary.Value(tag=tag, tensor=tensor, metadata=metadata)
