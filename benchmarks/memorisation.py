"""Titles of two data sets that SmolLM2 recalls, beside guesses that need no memory.

    python benchmarks/memorisation.py > benchmarks/results/memorisation.json

For each data set it is the same as

    grasp-bench inspect memorisation SPEC --model local/smollm2 --sample N --max-tokens 24 --format json
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from grasp_bench import api
from grasp_bench.core.store import Store
from grasp_bench.engine.costs import ledger_of
from grasp_bench.report.renderers.json_text import as_json
from grasp_bench.studies.inspection.memorisation import Asking, probe_memory

SAMPLES = {"movielens_prompts": 40, "beauty_ablation": 20}  # items of a spec's data set


def main() -> None:
    """Print what is found of each data set as JSON; answers are kept in the store."""
    ledger = ledger_of(Store(Path(os.environ.get("GRASP_BENCH_STORE", api.STORE))))
    found = [
        probe_memory(
            api.load(f"specs/{name}.yaml").experiment, ledger, Asking("local/smollm2", sample, max_tokens=24)
        )
        for name, sample in SAMPLES.items()
    ]
    print(json.dumps(as_json(found), ensure_ascii=False))


if __name__ == "__main__":
    main()
