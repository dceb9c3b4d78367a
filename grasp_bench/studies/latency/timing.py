"""Time calls against each other, and the first request of fresh processes.

Calls take turns, a few requests at a time, each time in another order, so that what slows the machine down
meets all of them; within a turn each finds in the caches what its own last request has left there.

A cold start is a new process that has imported the libraries, read the model from the store and computed what
all requests share, and now answers for the first time. Files are in the system's page cache, read before.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path as File
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.garbage import no_collection
from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell
from grasp_bench.studies.latency.paths import Path, Ranking, load_paths
from grasp_bench.studies.serving import Ints

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
        with _fresh_process() as pool:
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


@contextmanager
def _fresh_process() -> Iterator[ProcessPoolExecutor]:
    # Spawned, not forked: a child of this process would have its warm libraries.
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        yield pool
