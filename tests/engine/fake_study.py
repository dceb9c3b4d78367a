"""The fake study's place: a store, results, and orders to its stages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import run_fakes

from grasp_bench.engine.run import Outcome


@dataclass(frozen=True)
class Fakes:
    """A store, a results folder and the folder that tells the fake stages what to do."""

    orders: Path
    store: Path
    results: Path

    def order(self, label: str, word: str) -> None:
        (self.orders / f"{label}.rule").write_text(word)

    def relent(self) -> None:
        for rule in self.orders.glob("*.rule"):
            rule.unlink()

    def runs(self) -> list[str]:
        log = self.orders / "runs.log"
        return log.read_text().splitlines() if log.exists() else []

    def run(self, executor: str = "process_pool", workers: int = 2) -> Outcome:
        return run_fakes.run_fakes(self.store, self.results, executor, workers)
