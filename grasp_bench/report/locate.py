"""Find the results folder that a word on the command line means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grasp_bench.core.errors import DataError, MissingFileError, UnknownNameError
from grasp_bench.core.files import require_file
from grasp_bench.core.words import did_you_mean
from grasp_bench.report.cells import CELL_FILE
from grasp_bench.report.study import FILE as STUDY_FILE


def find_results(word: str | None, results: Path, files: Sequence[str] = (STUDY_FILE,)) -> Path:
    """Find the results folder of a spec's name, of a spec file, or the folder itself.

    A folder has results where it has a cell or one of `files`. Without a word the only one that has them is
    meant. Raises UnknownNameError with a suggestion,
    MissingFileError when `results` is not there, DataError when it is empty.
    """
    known = folders_of_results(results, files)
    names = ", ".join(sorted(known))
    if word is None and len(known) > 1:
        raise UnknownNameError(f"{results} has results of several specs", hint=f"name one of: {names}")
    word = next(iter(known), "") if word is None else word
    if word in known:
        return known[word]
    path = Path(word)
    if word and path.is_dir():
        return path
    name = _name_in_spec(path) if path.suffix in (".yaml", ".yml") else word
    if name in known:
        return known[name]
    if not known:
        raise MissingFileError(f"{results}: no results here", hint="grasp-bench run a spec first")
    raise UnknownNameError(
        f"no results of '{name}' in {results}{did_you_mean(name, known)}",
        hint=f"results are there for: {names}",
    )


def folders_of_results(results: Path, files: Sequence[str] = (STUDY_FILE,)) -> dict[str, Path]:
    """Folders by the names of specs with at least one finished cell or one of the files."""
    if not results.is_dir():
        return {}
    folders = {path.parent for file in files for path in results.glob(f"*/{file}")}
    folders |= {path.parent.parent for path in results.glob(f"*/*/{CELL_FILE}")}
    return {folder.name: folder for folder in sorted(folders)}


def _name_in_spec(path: Path) -> str:
    """The `name:` of a spec file, read without the models of a whole spec."""
    from grasp_bench.spec.problems import Problems
    from grasp_bench.spec.tree import locate, plain
    from grasp_bench.spec.yaml_reader import read_file

    require_file(path, hint="give a spec's name, its file or a folder")
    problems = Problems()
    tree = read_file(path, str(path), problems)
    if tree is None:
        raise DataError(f"{path}: not a spec ({problems.lines()[0]})", hint=f"grasp-bench validate {path}")
    name = plain(locate(tree, ("name",)).node)
    if not isinstance(name, str):
        raise DataError(f"{path}: has no name", hint=f"grasp-bench validate {path}")
    return name
