"""Hashes of nodes do not change by accident: a refactoring leaves every stored artefact findable.

`node_hashes.json` holds, for each spec of `specs/`, one digest over the hashes of all nodes of all cells.
After a wanted change (a raised stage version, an edited spec): `python tests/plan/test_hashes_of_specs.py`.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from grasp_bench.core.errors import DataError
from grasp_bench.core.hashing import content_hash
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.plan.fingerprints import Fingerprints, cache_file
from grasp_bench.spec.loading import load

ROOT = Path(__file__).parents[2]
KNOWN = Path(__file__).with_name("node_hashes.json")


def compiled(name: str, cache: Path) -> Plan:
    return compile_plan(load(ROOT / "specs" / f"{name}.yaml").experiment, Fingerprints(cache_file(cache)))


def digest(plan: Plan) -> str:
    return content_hash(
        {cell.slug: {role: node.hash for role, node in cell.nodes.items()} for cell in plan.cells}
    )


def digests(cache: Path) -> dict[str, str]:
    """Of every spec whose data are here."""
    found = {}
    for path in sorted((ROOT / "specs").glob("*.yaml")):
        with suppress(DataError):
            found[path.stem] = digest(compiled(path.stem, cache))
    return found


def test_every_node_of_a_spec_has_the_hash_it_had(tmp_path):
    assert digests(tmp_path) == json.loads(KNOWN.read_text())


@pytest.mark.parametrize("name", ["beauty_strong", "beauty_strong_enhancers"])
def test_committed_results_are_those_the_spec_asks_for(name, tmp_path):
    planned = {cell.slug: cell for cell in compiled(name, tmp_path).cells}
    found = [json.loads(path.read_text()) for path in (ROOT / "results" / name).glob("*/cell.json")]
    assert found
    for cell in found:
        nodes = planned[cell["slug"]].nodes
        assert {role: nodes[role].hash for role in cell["nodes"]} == cell["nodes"]


if __name__ == "__main__":
    KNOWN.write_text(json.dumps(digests(Path("/tmp/node_hashes")), indent=1) + "\n")
