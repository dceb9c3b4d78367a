"""The first request after a start: fresh processes, one a repetition.

Cold is: a new process has imported the libraries, read the model from the store and computed what all
requests share, and now answers for the first time. Files are in the system's page cache, read before.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path as File

import numpy as np

from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.garbage import no_collection
from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell
from grasp_bench.studies.latency.paths import Path, Ranking, load_paths
from grasp_bench.studies.latency.timing import NS_IN_MS
from grasp_bench.studies.serving import Ints


@dataclass(frozen=True, eq=False)
class Start:
    """What a fresh process is to load and to answer; `candidates` (K,) are items."""

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
                    mend="give it more memory, or leave cold starts out (--cold 0)",
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
