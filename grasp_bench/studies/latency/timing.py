"""Timing calls against each other on a machine that does other things too.

Calls take turns, a few requests at a time, each time in another order, so that what slows the machine down
meets all of them; within a turn each finds in the caches what its own last request has left there.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.garbage import no_collection

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
        """All of them, one behind the other."""
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
