"""What commands that study finished cells do alike: open the plan, leave what was found, and show it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grasp_bench.cli.options import TableFormat
from grasp_bench.cli.output import console, note, say_json

if TYPE_CHECKING:
    from grasp_bench.plan.compile import Plan
    from grasp_bench.report.document import Document


def plan_of(spec: Path, overrides: list[str], store: Path, results: Path | None = None) -> Plan:
    """The plan of a spec file, without seeds that may come and are not there.

    Which are there is said by the store, or by what is published below `results`, where that is given. Hashes
    of files that the store remembers are not computed again.
    """
    from grasp_bench.core.store import Store
    from grasp_bench.plan.compile import compile_plan
    from grasp_bench.plan.fingerprints import Fingerprints, cache_file
    from grasp_bench.plan.selection import seeds_begun
    from grasp_bench.spec.loading import load
    from grasp_bench.spec.paths import at_its_place

    loaded = load(spec, overrides)
    with at_its_place(loaded.tree):
        whole = compile_plan(loaded.experiment, Fingerprints(cache_file(store)))
    if results is None:
        return seeds_begun(whole, loaded.experiment, Store(store))
    from grasp_bench.report.study import read_study

    first = {None, *loaded.experiment.first_seeds}
    published = {cell["slug"] for cell in read_study(results / whole.name).planned or ()}
    return whole.keep(lambda cell: cell.seed in first or cell.slug in published)


def leave(found: Mapping[str, Any], document: Document, stored: Path, rendered: Path) -> None:
    """Write what was found as JSON and as Markdown, each whole or not at all, and say where."""
    from grasp_bench.core import atomic, checksums
    from grasp_bench.report.renderers.markdown import document_text

    checksums.write(stored, found)
    atomic.write_text(rendered, document_text(document))
    note(f"written: {rendered}, {stored}")


def display(found: Mapping[str, Any], document: Document, output: TableFormat) -> None:
    """Print what was found."""
    if output is TableFormat.json:
        say_json(found)
        return
    from grasp_bench.report.renderers.terminal import show

    show(document, console())
