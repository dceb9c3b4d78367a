"""Build Optuna's samplers and pruners; draws do not depend on which worker asks when."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from grasp_bench.components import SAMPLERS
from grasp_bench.core.hashing import content_hash
from grasp_bench.core.store import Artefact
from grasp_bench.spec.experiment import Tuning
from grasp_bench.spec.training import Training
from grasp_bench.studies.tuning.storage import WORKER

STARTUP_TRIALS = 5  # complete curves that a median is taken of, at least


class SeededByPlace(BaseSampler):
    """Asks a fresh sampler for each trial, seeded by the search's seed and the trial's place.

    A sampler that begins again in another process would draw its first points again. This one gives a
    search that was interrupted the points it would have had, and no two workers the same draws.

    Args:
        name: of the registry `components.SAMPLERS`.
        seed: of the search.
        place: of a trial's number, how many trials that count have a lower one.
        worker: name of this process, stored in each trial to queue it again if the process dies.
    """

    def __init__(self, name: str, seed: int, place: Callable[[int], int], worker: str) -> None:
        self._name = name
        self._seed = seed
        self._place = place
        self._worker = worker
        self._current: BaseSampler = RandomSampler()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Make the sampler of this trial."""
        # By the storage, as Optuna's own samplers write: there is no Trial yet.
        study._storage.set_trial_user_attr(trial._trial_id, WORKER, self._worker)
        seed = int(content_hash([self._seed, self._place(trial.number)]), 16) % 2**32
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self._current = SAMPLERS.implementation(self._name)(seed)
        self._current.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the sampler of this trial does."""
        return self._current.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler of this trial does."""
        return self._current.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As the sampler of this trial does."""
        return self._current.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """As the sampler of this trial does."""
        self._current.after_trial(study, trial, state, values)


def tpe(seed: int) -> BaseSampler:
    """Build TPE. Points that other workers are at count as bad ones, so that they are not asked for twice."""
    return TPESampler(seed=seed, constant_liar=True)


def gp(seed: int) -> BaseSampler:
    """Build the Gaussian process sampler."""
    return GPSampler(seed=seed, warn_independent_sampling=False)


def uniform(seed: int) -> BaseSampler:
    """Build the sampler of independent draws; the queued points of a grid leave it nothing to draw."""
    return RandomSampler(seed=seed)


def pruner_of(tuning: Tuning, training: Training) -> BasePruner:
    """Build the pruner of a search. Steps are epochs of the first seed.

    median: not before `patience` validations, which early stopping gives a training, too, and among five
    complete curves at least. hyperband: between the first validation and `max_epochs`.
    """
    if tuning.pruner == "median":
        warmup = training.patience * training.eval_every
        return MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=warmup)
    if tuning.pruner == "hyperband":
        return HyperbandPruner(min_resource=training.eval_every, max_resource=training.max_epochs)
    return NopPruner()


EPOCHS = "epochs"


class Pruned(BaseException):
    """Ends a training. Like KeyboardInterrupt no Exception, so that no handler turns it into a message."""


class PruningCurve:
    """The curve of a trial's first seed.

    Only the first seed is reported, so that trials are compared by the same seed; a pruned trial is not
    trained for the other seeds.
    """

    def __init__(self, trial: Trial, monitor: str) -> None:
        self._trial = trial
        self._monitor = monitor

    def tell(self, epoch: int, value: float) -> None:
        """Report an epoch as it ends; raises Pruned when the pruner says so."""
        self._trial.report(value, epoch)
        if self._trial.should_prune():
            self._trial.set_user_attr(EPOCHS, epoch)
            raise Pruned

    def report_all(self, artefact: Artefact) -> None:
        """Report all epochs of a training that was in the store; it is not pruned."""
        for line in artefact.file("log.jsonl").read_text().splitlines():
            entry = json.loads(line)
            if self._monitor in entry:
                self._trial.report(entry[self._monitor], int(entry["epoch"]))
