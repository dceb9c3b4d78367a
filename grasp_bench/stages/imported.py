"""Stage `imported`: rank the test targets by the scores of another library's run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import read_item_ids, read_user_ids
from grasp_bench.data.peer_runs import PeerRun, read_peer_run
from grasp_bench.evaluation.peer_ranker import AmongCandidates, Block, InCatalogue
from grasp_bench.evaluation.ranker import FullRanking, Queries, Ranks, hidden_pairs, pool_sizes
from grasp_bench.plan.nodes import Node
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.model_inputs import held_out_queries
from grasp_bench.stages.rank import write_ranks

SCRATCH = "scores.parquet"


class ImportedStage:
    """Writes the files of the rank stage that the run allows: see `holds` in its section of the spec."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Facts: rows read, users ranked, absent pairs and their share of the expected ones.

        Raises DataError for files that cannot be used, users without a score, and too many absent pairs.
        """
        torch.set_num_threads(context.threads)
        _, queries = held_out_queries(inputs, "cpu")
        user_ids, item_ids = read_user_ids(inputs["split"].path), read_item_ids(inputs["split"].path)
        settings, path = node.settings, Path(node.located()["path"])
        run = read_peer_run(path, settings["format"], user_ids, item_ids, out / SCRATCH)
        ranking = _Ranking.of(queries, len(item_ids), settings)
        ranking.fill(run, context.memory_mb)
        facts = ranking.check(run)
        write_ranks(queries, ranking.sampled, ranking.full, out)
        run.scores.unlink()
        context.report(Event(node.label, len(queries), len(queries), "users"))
        return {"rows": run.rows, "users": len(queries), "test_read": True, **facts}


@dataclass
class _Ranking:
    """The rankings that a run allows, and the test users that it covers."""

    queries: Queries
    settings: Mapping[str, Any]
    candidates: AmongCandidates | None
    catalogue: InCatalogue | None
    met_Q: np.ndarray

    @classmethod
    def of(cls, queries: Queries, num_items: int, settings: Mapping[str, Any]) -> _Ranking:
        candidates = None if settings["holds"] == "top" else AmongCandidates(queries, num_items)
        catalogue = None
        if settings["holds"] != "candidates" and settings["also_full_ranking"]:
            hidden = hidden_pairs(queries, num_items, settings["exclude_history"])
            pool = pool_sizes(queries, num_items, hidden)
            top = min(settings["top"], settings.get("depth", settings["top"]))
            catalogue = InCatalogue(queries, num_items, pool, hidden, top)
        return cls(queries, settings, candidates, catalogue, np.zeros(len(queries), dtype=bool))

    @property
    def sampled(self) -> Ranks | None:
        return self.candidates.counts.ranks() if self.candidates is not None else None

    @property
    def full(self) -> FullRanking | None:
        if self.catalogue is None:
            return None
        return FullRanking(self.catalogue.counts.ranks(), self.catalogue.recommendations)

    def fill(self, run: PeerRun, memory_mb: int) -> None:
        row_of_user = np.full(len(run.user_ids), -1)
        row_of_user[self.queries.users_Q.numpy()] = np.arange(len(self.queries))
        for frame in run.blocks(memory_mb):
            users, items = (frame[name].to_numpy().astype(np.int64) for name in ("user", "item"))
            rows = np.unique(row_of_user[users])
            rows = rows[rows >= 0]
            block = Block.of(users, items, frame["score"].to_numpy(), len(run.item_ids))
            self.met_Q[rows] = True
            for ranking in (self.candidates, self.catalogue):
                if ranking is not None:
                    ranking.add(rows, block)

    def check(self, run: PeerRun) -> dict[str, Any]:
        """Count absent pairs; DataError for users without a score, short lists, and too many absent pairs."""
        if not self.met_Q.all():
            first = int(np.flatnonzero(~self.met_Q)[0])
            raise DataError(
                f"{run.path}: test user '{run.user_ids[int(self.queries.users_Q[first])]}' has no score (and "
                f"{int((~self.met_Q).sum()) - 1:,} others)",
                hint="score every user that is tested: a mean over some of them is another experiment",
            )
        if self.settings["holds"] == "top":
            return self._check_lists(run)
        return self._check_absent(run)

    def _check_lists(self, run: PeerRun) -> dict[str, Any]:
        assert self.catalogue is not None
        depth = self.settings["depth"]
        short = np.flatnonzero(self.catalogue.listed_Q < np.minimum(depth, self.catalogue.pool_Q))
        if len(short):
            first = int(short[0])
            raise DataError(
                f"{run.path}: user '{run.user_ids[int(self.queries.users_Q[first])]}' has "
                f"{self.catalogue.listed_Q[first]} items to rank, known ones left out, and depth is {depth} "
                f"({len(short):,} users so)",
                hint="list more items of each user, or lower depth",
            )
        return {"depth": depth}

    def _check_absent(self, run: PeerRun) -> dict[str, Any]:
        if self.catalogue is not None:
            absent_Q = self.catalogue.pool_Q - self.catalogue.listed_Q
            expected = int(self.catalogue.pool_Q.sum())
        else:
            assert self.candidates is not None
            absent_Q, expected = self.candidates.absent_Q, self.candidates.expected
        absent, allowed = int(absent_Q.sum()), self.settings["absent_up_to"]
        if absent > allowed * expected:
            most = int(absent_Q.argmax())
            raise DataError(
                f"{run.path}: {absent:,} of the {expected:,} pairs that it should hold are absent "
                f"({absent / expected:.2%}), most of them, {absent_Q[most]:,}, of user "
                f"'{run.user_ids[int(self.queries.users_Q[most])]}'",
                hint="score them, or allow it by absent_up_to: they rank below all that is there",
            )
        return {"absent": absent, "absent_share": absent / expected}
