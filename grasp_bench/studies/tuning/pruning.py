"""A trial's validation curve as Optuna sees it, epoch by epoch, and how a training is ended early."""

from __future__ import annotations

import json

from optuna.trial import Trial

from grasp_bench.core.store import Artefact

EPOCHS = "epochs"


class Pruned(BaseException):
    """Ends a training. No Exception: it has to pass what turns errors into messages, as Ctrl-C does."""


class Curve:
    """The curve of a trial's first seed.

    The first alone: curves of one seed begin alike and are compared alike, and what it rules out is not
    trained for the other seeds at all.
    """

    def __init__(self, trial: Trial, monitor: str) -> None:
        self._trial = trial
        self._monitor = monitor

    def tell(self, epoch: int, value: float) -> None:
        """Tell of an epoch as it ends; raises Pruned when the training does not pay."""
        self._trial.report(value, epoch)
        if self._trial.should_prune():
            self._trial.set_user_attr(EPOCHS, epoch)
            raise Pruned

    def tell_all(self, artefact: Artefact) -> None:
        """Tell of a training that was there: it costs nothing more, and others are measured by it."""
        for line in artefact.file("log.jsonl").read_text().splitlines():
            entry = json.loads(line)
            if self._monitor in entry:
                self._trial.report(entry[self._monitor], int(entry["epoch"]))
