"""What a stage is told about the machine it runs on; nothing here may change a result's meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from grasp_bench.core.progress import Report
from grasp_bench.core.store import Artefact
from grasp_bench.plan.nodes import Node


@dataclass(frozen=True)
class RunContext:
    """Device ("cpu", "cuda:0"), CPU threads, where progress goes, MiB that one block may take.

    `ledger` is the file that keeps what paid services have answered; None where no stage asks any.
    """

    device: str
    threads: int
    report: Report
    memory_mb: int = 512
    ledger: Path | None = None


class Stage(Protocol):
    """One kind of node: reads finished artefacts, writes one."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        """Write files into `out`; return facts for the sidecar (counts, shapes, recall, …)."""
        ...
