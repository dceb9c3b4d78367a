"""Load the ways in which one request of a trained cell can be answered, and time them against each other.

Calls take turns, a few requests at a time, each time in another order, so that what slows the machine down
meets all of them; within a turn each finds in the caches what its own last request has left there.

A cold start is a new process that has imported the libraries, read the model from the store and computed what
all requests share, and now answers for the first time. Files are in the system's page cache, read before.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path as File
from typing import Any, Literal, TypeVar

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from grasp_bench.components import ENCODERS
from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.machine import no_collection
from grasp_bench.core.store import Store
from grasp_bench.encoders.vectors import encoder_input
from grasp_bench.models.batch import Profiles
from grasp_bench.plan.cells import Cell
from grasp_bench.retrieval.exact import nearest_among
from grasp_bench.retrieval.hnsw import HnswSearcher
from grasp_bench.retrieval.neighbours import SearchSettings, pooled_means, resolve_kind, unit_vectors
from grasp_bench.spec.choices import encoder_of
from grasp_bench.spec.index import Index
from grasp_bench.spec.service import Service
from grasp_bench.stages.embeddings import text_encoder
from grasp_bench.studies.serving import Ints, Request, Serving, TrainedCell, open_cell

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
        (path, ranking): _ask(answer, profiles[path])
        for path in wanted
        if path in profiles
        for ranking, answer in zip(RANKINGS, (serving.best, serving.scores), strict=True)
    }
    return Loaded(serving, asks, missing)


def reads_users(opened: TrainedCell) -> bool:
    """Whether a score depends on vectors of the user."""
    return opened.recommender.enhancer.profiles(torch.zeros(1, dtype=torch.int64)) is not None


def _ask(answer: Callable[..., object], profile_of: ProfileOf | None) -> Ask:
    if profile_of is None:
        return lambda request: answer([request])
    return lambda request: answer([request], profile_of(request.user))


Vector = NDArray[np.float32]
ProfileOf = Callable[[int], Profiles]


class LiveSearch:
    """Searches the stored vectors of users for one user's neighbours, as the cell's own index does.

    The constructor makes what a server would keep: unit vectors, and the graph of hnsw.
    """

    def __init__(self, opened: TrainedCell, threads: int) -> None:
        index = opened.cell.experiment.index
        vectors = load_file(opened.inputs["user_embeddings"].file("embeddings.safetensors"))["vectors"]
        self.vectors: Vector = vectors[: opened.train.num_users]  # behind them there may be prefixes
        self._units = unit_vectors(self.vectors)
        self._settings = _settings(index, threads)
        self.kind = resolve_kind(index.kind, len(self._units))
        self._graph: Any = None
        if self.kind == "hnsw" and len(self._units) > 1:
            self._graph = HnswSearcher(self._settings).graph(self._units)
            self._graph.set_ef(max(index.ef_search, index.num_neighbours + 1))

    def profile(self, user: int) -> Profiles:
        """Make the profile of a user with the stored vector."""
        return self.profile_of(user, self.vectors[user])

    def profile_of(self, user: int, own: Vector) -> Profiles:
        """Make the profile of a user: this vector (D,), and the mean of the nearest users' vectors."""
        query = unit_vectors(own[None])
        nearest = self._from_graph(user, query) if self._graph is not None else self._exact(user, query)
        similar = pooled_means(self.vectors, nearest, own[None])
        return Profiles(torch.from_numpy(own)[None], torch.from_numpy(similar))

    def _exact(self, user: int, query: Vector) -> NDArray[np.integer[Any]]:
        return nearest_among(self._units, query, np.array([user]), self._settings).indices

    def _from_graph(self, user: int, query: Vector) -> NDArray[np.integer[Any]]:
        count = min(self._settings.num_neighbours, len(self._units) - 1)
        labels, _ = self._graph.knn_query(query, k=count + 1, num_threads=1)
        found = labels[0].astype(np.int64)
        return np.asarray(found[found != user][:count][None])


class LiveText:
    """Encodes a user's stored text by the cell's own model, then searches."""

    def __init__(self, opened: TrainedCell, store: Store, search: LiveSearch, threads: int) -> None:
        cell = opened.cell
        node = cell.nodes["user_embeddings"]
        section = encoder_of(node.located()["encoder"])
        adapted = node.inputs.get("adaptation")
        adaptation = None if adapted is None else store.get(adapted.stage, adapted.hash)
        self._encoder = text_encoder(section, adaptation, "cpu", threads)
        text = cell.nodes["user_text"]
        table = pl.read_parquet(store.get(text.stage, text.hash).file("texts.parquet"), glob=False)
        told = encoder_input(
            getattr(section, "user_prefix", ""), "users", table["id"].to_list(), table["text"].to_list()
        )
        self._texts = dict(zip(told.rows.tolist(), told.texts, strict=True))
        self._search = search

    def profile(self, user: int) -> Profiles:
        """Make the profile of a user; without a text, by the stored vector."""
        if user not in self._texts:
            return self._search.profile(user)
        return self._search.profile_of(user, self._encoder.encode([self._texts[user]])[0])


def why_no_text(opened: TrainedCell) -> str | None:
    """Why a user's text cannot be encoded in a request; None where it can."""
    nodes = opened.cell.nodes
    if "user_text" not in nodes:
        return "its vectors are precomputed: there is no encoder to measure"
    made = nodes["user_embeddings"]
    if made.stage != "embeddings":
        return f"its vectors pass through {made.stage} after they are encoded"
    if issubclass(ENCODERS.get(made.settings["encoder"]["kind"]), Service):
        return "its vectors are bought from a service: a request would measure the network"
    return None


def _settings(index: Index, threads: int) -> SearchSettings:
    return SearchSettings(
        index.num_neighbours, index.m, index.ef_construction, index.ef_search, index.seed, threads
    )


Name = TypeVar("Name")
Asked = TypeVar("Asked")
TURN = 10  # requests
WARM_UP = 3  # requests of a turn that come before those that count
NS_IN_MS = 1e6


@dataclass(frozen=True, eq=False)
class Times:
    """Milliseconds of the clock, and of the processors for all threads, request by request: (N,)."""

    ms: NDArray[np.float64]
    cpu_ms: NDArray[np.float64]

    def __sub__(self, other: Times) -> Times:
        return Times(self.ms - other.ms, self.cpu_ms - other.cpu_ms)

    @classmethod
    def together(cls, several: Sequence[Times]) -> Times:
        """Concatenate times."""
        return cls(
            np.concatenate([each.ms for each in several]), np.concatenate([each.cpu_ms for each in several])
        )


def in_turns(
    calls: Mapping[Name, Callable[[Asked], object]], requests: Sequence[Asked], turn: int = TURN
) -> dict[Name, Times]:
    """Times of every call for every request, in the order of the requests.

    The first request of a turn is asked a few times unmeasured: the caches hold what another call left.
    """
    names = list(calls)
    taken = {name: Times(np.empty(len(requests)), np.empty(len(requests))) for name in names}
    gc.collect()  # before, not meanwhile
    with no_collection():
        for number, start in enumerate(range(0, len(requests), turn)):
            at = number % len(names) if names else 0
            for name in (*names[at:], *names[:at]):
                call, some = calls[name], requests[start : start + turn]
                for _ in range(WARM_UP):
                    call(some[0])
                for place, request in enumerate(some, start):
                    worked, began = time.process_time_ns(), time.perf_counter_ns()
                    call(request)
                    taken[name].ms[place] = (time.perf_counter_ns() - began) / NS_IN_MS
                    taken[name].cpu_ms[place] = (time.process_time_ns() - worked) / NS_IN_MS
    return taken


@dataclass(frozen=True, eq=False)
class Start:
    """What a fresh process loads and answers; `candidates` (K,) are items."""

    store: File
    cell: Cell
    path: Path
    ranking: Ranking
    user: int
    candidates: Ints
    threads: int
    top: int


def first_requests(starts: Sequence[Start]) -> list[float]:
    """Milliseconds of the first request of each start, one process after the other."""
    found = []
    for start in starts:
        # Spawned, not forked: a child of this process would have its warm libraries.
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
            try:
                found.append(pool.submit(_first_request, start).result())
            except BrokenProcessPool:
                raise GraspBenchError(
                    f"{start.cell.slug}: a fresh process ended before it answered",
                    hint="give it more memory, or leave cold starts out (--cold 0)",
                ) from None
    return found


def _first_request(start: Start) -> float:
    loaded = load_paths(start.cell, Store(start.store), start.threads, start.top, ("model", start.path))
    request = loaded.serving.request(start.user, np.asarray(start.candidates))
    ask = loaded.asks[start.path, start.ranking]
    gc.collect()  # before, not meanwhile
    with no_collection():
        began = time.perf_counter_ns()
        ask(request)
        return (time.perf_counter_ns() - began) / NS_IN_MS
