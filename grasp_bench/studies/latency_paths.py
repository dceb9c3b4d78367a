"""The ways in which one request of a trained cell can be answered, as calls to be timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell
from grasp_bench.studies.live_profiles import LiveSearch, LiveText, ProfileOf, why_no_text
from grasp_bench.studies.serving import Request, Serving
from grasp_bench.studies.trained_cells import TrainedCell, open_cell

Path = Literal["model", "live", "text"]
Ranking = Literal["catalogue", "candidates"]
Ask = Callable[[Request], object]
PATHS: tuple[Path, ...] = ("model", "live", "text")
RANKINGS: tuple[Ranking, ...] = ("catalogue", "candidates")
NO_USERS = "scoring reads no vectors of users: nothing would be searched"


@dataclass(frozen=True, eq=False)
class Loaded:
    """A cell that has been loaded: calls by path and ranking, and why a path is not among them."""

    serving: Serving
    asks: Mapping[tuple[Path, Ranking], Ask]
    not_measured: Mapping[str, str]


def load_paths(cell: Cell, store: Store, threads: int, top: int, wanted: tuple[Path, ...] = PATHS) -> Loaded:
    """Load what the wanted paths need: the model and its catalogue, an index of users, a text encoder."""
    torch.set_num_threads(threads)
    opened = open_cell(cell, store)
    serving = Serving(opened, top)
    profiles: dict[Path, ProfileOf | None] = {"model": None}
    missing: dict[str, str] = {}
    if not reads_users(opened):
        missing = {path: NO_USERS for path in wanted if path != "model"}
    elif any(path in wanted for path in ("live", "text")):
        search = LiveSearch(opened, threads)
        profiles["live"] = search.profile
        if reason := why_no_text(opened):
            missing["text"] = reason
        elif "text" in wanted:
            profiles["text"] = LiveText(opened, store, search, threads).profile
    asks = {
        (path, ranking): _ask(serving, profiles[path], ranking)
        for path in wanted
        if path in profiles
        for ranking in RANKINGS
    }
    return Loaded(serving, asks, missing)


def reads_users(opened: TrainedCell) -> bool:
    """Whether a score depends on vectors of the user."""
    return opened.recommender.enhancer.profiles(torch.zeros(1, dtype=torch.int64)) is not None


def _ask(serving: Serving, profile_of: ProfileOf | None, ranking: Ranking) -> Ask:
    answer = serving.best if ranking == "catalogue" else serving.scores
    if profile_of is None:
        return lambda request: answer([request])
    return lambda request: answer([request], profile_of(request.user))
