"""A tiny shop with vectors of its own, and searches on it in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from optuna.study import Study
from optuna.trial import FrozenTrial

from grasp_bench.core.store import Store
from grasp_bench.engine.run import STAGES
from grasp_bench.plan.fingerprints import Fingerprints
from grasp_bench.spec.loading import LoadedSpec, load
from grasp_bench.studies.tuning.search import Search
from grasp_bench.studies.tuning.search_space import Base, base_of, identity
from grasp_bench.studies.tuning.storage import counts, open_study, study_location, trial_params
from grasp_bench.studies.tuning.trials import SearchConfig, search

ITEMS, USERS, LENGTH, WIDTH = 24, 40, 6, 12
SPEC = """\
# A comment.
name: shop
description: a tiny shop
dataset:
  source: {folder}
  protocol: {{negatives: 5, validation_negatives: outside_known}}
encoder: {{kind: precomputed, users: {folder}/users.npy, items: {folder}/items.npy}}
index: {{kind: exact, num_neighbours: 2}}
model: {{backbone: sasrec, enhancer: grasp, embedding_dim: 8, max_len: 6, dropout: 0.2}}
training: {{batch_size: 16, lr: 1e-2, max_epochs: 3, patience: 3}}
seeds: [1, 2]
controls: []
tuning:
  sampler: grid
  trials: 4
  space: {{index.num_neighbours: [1, 2, 4], model.embedding_dim: [4, 8, 16]}}
"""


@dataclass(frozen=True)
class Searched:
    """A search that has come to an end, and what was said of it."""

    config: SearchConfig
    study: Study
    said: list[tuple[str, Any]]

    @property
    def trials(self) -> list[FrozenTrial]:
        """Those that count."""
        return [trial for trial in self.study.get_trials() if counts(trial)]

    @property
    def params(self) -> list[dict[str, Any]]:
        """The points that were asked for, in order."""
        return [trial_params(trial) for trial in self.trials]

    @property
    def values(self) -> list[float | None]:
        """What came out."""
        return [trial.value for trial in self.trials]


def write_shop(folder: Path, test_shift: int = 0) -> Path:
    """Histories that mostly go on to the next item; the last item of each is the user's test item.

    `test_shift` gives users the test items of others, so that every item is as frequent as before. The first
    users, who have all items, keep theirs: items are numbered as they come.
    """
    rng = np.random.default_rng(5)
    covering = np.arange(0, ITEMS, LENGTH)
    starts = np.concatenate([covering, rng.integers(ITEMS, size=USERS - len(covering))])
    held_out = (starts + LENGTH) % ITEMS
    held_out[len(covering) :] = np.roll(held_out[len(covering) :], test_shift)
    rows = [(f"u{u}", f"i{(starts[u] + t) % ITEMS}", t) for u in range(USERS) for t in range(LENGTH)]
    rows += [(f"u{u}", f"i{item}", LENGTH) for u, item in enumerate(held_out)]
    folder.mkdir(parents=True, exist_ok=True)
    schema = ["user_id", "item_id", "position"]
    pl.DataFrame(rows, schema=schema, orient="row").write_csv(folder / "interactions.csv")
    for name, letter, count in (("users", "u", USERS), ("items", "i", ITEMS)):
        np.save(folder / f"{name}.npy", rng.normal(size=(count, WIDTH)).astype(np.float32))
        (folder / f"{name}.ids.txt").write_text("\n".join(f"{letter}{k}" for k in range(count)) + "\n")
    spec = folder / "shop.yaml"
    spec.write_text(SPEC.format(folder=folder))
    return spec


def prepared(spec: Path, store: Path, overrides: Sequence[str] = ()) -> Searched:
    """The search of a spec, its queue filled, before any worker has begun."""
    loaded: LoadedSpec = load(spec, overrides)
    base: Base = base_of(loaded.experiment, str(spec))
    prints = Fingerprints()
    kept, searches = study_location(base, store, prints, None, None), identity(base, prints)
    config = SearchConfig(base, kept, searches, base.tuning.trials, store, STAGES, 1, 64)
    study = open_study(kept, searches)
    Search(config, study, ["cpu"]).prepare()
    return Searched(config, study, [])


def searched(
    spec: Path, store: Path, overrides: Sequence[str] = (), worker: str = "here:/nowhere"
) -> Searched:
    """Search in this process until there are enough trials."""
    found = prepared(spec, store, overrides)
    search(found.config, "cpu", worker, found.said.append)
    return found


def made(store: Path) -> Mapping[str, set[str]]:
    """The finished artefacts of each stage."""
    stages = [path.name for path in store.iterdir() if path.is_dir()]
    return {stage: {found.path.name for found in Store(store).artefacts(stage)} for stage in stages}
