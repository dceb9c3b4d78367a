"""The notebooks of the documentation run from the first cell to the last, and show what they say."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

DOCS = Path(__file__).resolve().parent.parent / "docs"
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
RUN = runpy.run_path(str(DOCS / "run_notebooks.py"))


def shown(notebook: NotebookNode, kind: str = "text/plain") -> list[str]:
    """All outputs of one kind, in order; of printed text if the kind is `stream`."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    if kind == "stream":
        return [output.text for output in outputs if output.output_type == "stream"]
    return [output.data[kind] for output in outputs if kind in output.get("data", {})]


def boards(notebook: NotebookNode) -> None:
    assert "6/6 cells" in shown(notebook)[1]
    assert "6 of 6 cells finished" in shown(notebook)[2]
    assert shown(notebook, "stream") == [], "nothing is printed"
    assert any("none/two_items" in text and "<table" in text for text in shown(notebook, "text/html"))


def own_backbone(notebook: NotebookNode) -> None:
    unfinished = next(text for text in shown(notebook) if "finished" in text and "false" in text)
    rows = re.findall(r"│ (\S+) +┆ (true|false)", unfinished)
    assert {name for name, finished in rows if finished == "false"} == {"last_items_LastItems-none-s1"}
    resumed = next(text for text in shown(notebook) if "resuming" in text)
    assert "4/4 cells" in resumed
    compared = shown(notebook)[-1]
    value, before = re.search(r"LastItems\S* .*┆ ([\d.]+) +┆ ([\d.]+)", compared).groups()
    assert value != before


def own_data_and_export(notebook: NotebookNode) -> None:
    printed = "".join(shown(notebook, "stream"))
    assert "Dataset card: shop" in printed
    assert "300 users, 15,300 lines; qrels shop-" in printed
    theirs, ours = re.search(r"NDCG@10 ┆ ([\d.]+) +┆ ([\d.]+)", shown(notebook)[-1]).groups()
    assert theirs == ours


CLAIMS: dict[str, Callable[[NotebookNode], None]] = {
    "boards": boards,
    "own_backbone": own_backbone,
    "own_data_and_export": own_data_and_export,
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NotebookNode]:
    """All of them in one kernel, emptied between two: to start one takes longer than most of their cells."""
    found = {path.stem: nbformat.read(path, as_version=4) for path in NOTEBOOKS}
    whole, place = nbformat.v4.new_notebook(), tmp_path_factory.mktemp("notebooks")
    for notebook in found.values():
        whole.cells += [*notebook.cells, nbformat.v4.new_code_cell("%reset -f")]
    nbformat.write(whole, place / "whole.ipynb")
    cells = iter(RUN["executed"](place / "whole.ipynb", place).cells)
    for notebook in found.values():
        notebook.cells = [*islice(cells, len(notebook.cells))]
        next(cells)
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows_what_it_says(path: Path, executed: dict[str, NotebookNode]) -> None:
    CLAIMS[path.stem](executed[path.stem])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_with_the_outputs_of_a_whole_run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "run: make notebooks"
    CLAIMS[path.stem](notebook)
    pages = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    links = [link for page in pages for link in re.findall(r"\]\((?!http)([^)#]+)", page)]
    assert [link for link in links if not (path.parent / link).is_file()] == []
    assert not re.search(r"/tmp/|/work/|/home/", nbformat.writes(notebook))
