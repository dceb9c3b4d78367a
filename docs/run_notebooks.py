"""Execute the notebooks of docs/notebooks in a copy, and keep their outputs.

python docs/run_notebooks.py            what `make notebooks` does
python docs/run_notebooks.py boards     this one alone
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER = REPOSITORY / "docs" / "notebooks"
SECONDS = 600  # of one cell


def executed(path: Path, place: Path) -> NotebookNode:
    """Return a notebook with the outputs that it gets below `place`, where the specs are, too.

    Raises CellExecutionError for a cell that fails.
    """
    here = place / "docs" / "notebooks"
    here.mkdir(parents=True, exist_ok=True)
    if not (place / "specs").exists():
        (place / "specs").symlink_to(REPOSITORY / "specs")
    # The kernel is started anywhere, and must find this package there.
    paths = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    # Threads of torch that spin while they wait make a shared machine several times slower.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_WAIT_POLICY": "PASSIVE"}
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(here)}}
    )
    client.execute(env=environment)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times, new in every run
    notebook.metadata.pop("language_info", None)  # the version of Python, too
    return notebook


def main() -> None:
    """Execute all notebooks, or those that are named, and write them."""
    for path in [FOLDER / f"{name}.ipynb" for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as place:
            nbformat.write(executed(path, Path(place)), path)
        print(path)


if __name__ == "__main__":
    main()
