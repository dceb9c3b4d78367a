"""Read everything that one page shows: the board, the ablations' differences, the findings of studies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grasp_bench.report.board import load_board
from grasp_bench.report.build import build_board
from grasp_bench.report.cells import cell_folders, fingerprint
from grasp_bench.report.schema import FORMAT, Board, Ranking
from grasp_bench.report.significance import AblationDelta, Deltas, ablation_deltas
from grasp_bench.report.studies import Findings, read_findings


@dataclass(frozen=True)
class PageMaterial:
    """The board of a spec, its ablations' deltas and its studies' findings."""

    folder: Path
    board: Board
    deltas: Deltas
    findings: Sequence[Findings]

    @property
    def metric(self) -> str:
        """The metric that ranks."""
        return self.board["metric"]

    def protocols(self, ranking: Ranking) -> list[str]:
        """The protocols of a ranking, the one that ranks first."""
        return sorted(ranking["protocols"], key=lambda name: name != self.board["rank_by"])

    def suffix(self, ranking: Ranking) -> str:
        """What tells a ranking from the others of a board; nothing where it is the only one."""
        several = len(self.board["rankings"]) > 1
        return f", {ranking['dataset']} ({ranking['protocol_hash']})" if several else ""

    def deltas_of(self, ranking: Ranking, protocol: str) -> Sequence[AblationDelta]:
        """What the ablations of a ranking cost."""
        return self.deltas.get(ranking["protocol_hash"], {}).get(protocol, ())


def read_page_material(folder: Path) -> PageMaterial:
    """Read a results folder; raises as `load_board` and `read_findings` do.

    A search leaves no cell: with findings of studies alone, the board has no ranking and is not cached.
    """
    findings = read_findings(folder)
    alone = bool(findings) and not cell_folders(folder)
    board = build_board(folder, fingerprint(folder, FORMAT)) if alone else load_board(folder)
    protocols = list(dict.fromkeys(name for ranking in board["rankings"] for name in ranking["protocols"]))
    return PageMaterial(folder, board, ablation_deltas(folder, board["metric"], protocols), findings)
