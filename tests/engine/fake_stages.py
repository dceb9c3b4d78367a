"""Stages that do what a file tells them, in whatever process they run.

`$FAKE_STAGES` names a folder. Each run appends the node's label to `runs.log`. A file `<label>.rule`
there makes the stage of that node misbehave.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import Event
from grasp_bench.core.registry import Registry
from grasp_bench.core.store import Artefact
from grasp_bench.plan.nodes import STAGE_VERSIONS, Node
from grasp_bench.stages.context import RunContext, Stage

FOLDER = "FAKE_STAGES"
TARGET = "fake_stages:FAKES"


class FakeStage:
    """Writes `made.json`, and what a metrics stage writes."""

    def run(
        self, node: Node, inputs: Mapping[str, Artefact], out: Path, context: RunContext
    ) -> dict[str, Any]:
        folder = Path(os.environ[FOLDER])
        with (folder / "runs.log").open("a") as log:
            log.write(f"{node.label}\n")
        found_before = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
        (out / "made.json").write_text(json.dumps({role: found.path.name for role, found in inputs.items()}))
        if node.stage == "metrics":
            (out / "metrics.json").write_text(json.dumps({"sampled": {"overall": {"n": 1, "NDCG@10": 0.5}}}))
            (out / "ranks.parquet").write_bytes(b"ranks")
        for done in range(3):
            context.report(Event(node.label, done, 3, "steps", "loss 1"))
        _obey(folder / f"{node.label}.rule", folder)
        return {"found_before": found_before, "threads": context.threads, "device": context.device,
                "epochs": 3, "best_epoch": 2, "pid": os.getpid()}  # fmt: skip


def _obey(rule: Path, folder: Path) -> None:
    word = rule.read_text() if rule.exists() else "work"
    if word == "refuse":
        raise DataError("user 'ünï' has no history", hint="drop the user")
    if word == "crash":
        raise ZeroDivisionError("division by zero")
    if word == "be killed":
        print("last words", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "exit":
        os._exit(3)
    if word == "return nonsense":
        raise KeyError("nonsense")
    if word == "hang":
        (folder / "hanging").write_text(str(os.getpid()))
        time.sleep(600)  # until it is killed
    if word == "be slow":
        time.sleep(0.15)


FAKES = Registry[type[Stage]]("stage", dict.fromkeys(STAGE_VERSIONS, "fake_stages:FakeStage"))
