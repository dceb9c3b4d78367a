"""A program for tests: `run_fakes.py STORE RESULTS` runs the fake study, signals and all."""

from __future__ import annotations

import sys
from pathlib import Path

from grasp_bench.engine.run import Outcome, RunConfig, run_plan
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.spec.experiment import Experiment

SPEC = {
    "name": "fakes",
    "dataset": {"source": "demo"},
    "controls": [],
    "compare": {"model.enhancer": ["none", "grasp"]},
    "ablations": {"softmax": {"model.attention": "softmax"}},
}


def fake_plan() -> Plan:
    """Cells sasrec-none-s42, sasrec-grasp-s42, sasrec-grasp-softmax-s42; 17 nodes."""
    return compile_plan(Experiment.model_validate(SPEC), str)


def run_fakes(store: Path, results: Path, executor: str = "process_pool", workers: int = 2) -> Outcome:
    """Run the fake study; the stages are found by name in the worker processes."""
    shop = RunConfig(
        store=store,
        results=results,
        devices=("cpu",) * workers,
        executor=executor,
        log_format="plain",
        stages="fake_stages:FAKES",
    )
    return run_plan(fake_plan(), shop)


if __name__ == "__main__":
    try:
        sys.exit(6 if run_fakes(Path(sys.argv[1]), Path(sys.argv[2])).failed else 0)
    except KeyboardInterrupt:
        sys.exit(130)
