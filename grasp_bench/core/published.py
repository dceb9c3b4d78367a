"""The files of `results/<spec>/<slug>/`: their names, and whether they are those that were published.

`cell.json` carries its own checksum and the hashes of the files beside it. What earlier versions published
has neither, and is read as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grasp_bench.core import sealing
from grasp_bench.core.errors import DataError
from grasp_bench.core.hashing import file_hash

CELL, METRICS, RANKS = "cell.json", "metrics.json", "ranks.parquet"
MEASURED = (METRICS, RANKS)
MEMBERS = "groups-{}.parquet"  # beside the cells, by protocol hash: which users belong to which group


def seal_cell(folder: Path, content: Mapping[str, Any]) -> None:
    """Write `cell.json`, with the hashes of the files that already lie beside it."""
    sealing.write(folder / CELL, {**content, "files": {name: file_hash(folder / name) for name in MEASURED}})


def changed_files(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Names of files that are gone or not those of these hashes."""
    return [name for name, digest in files.items() if hash_if_there(folder / name) != digest]


def hash_if_there(path: Path) -> str | None:
    """The hash of a file's bytes, None where it is not there."""
    try:
        return file_hash(path)
    except OSError:
        return None


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object, without its checksum; DataError names the file when it is damaged or altered."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})", mend=mend(path.name)) from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds no JSON object", mend=mend(path.name))
    if sealing.is_broken(content):
        raise DataError(
            f"{path}: altered since it was written (its checksum is another)", mend=mend(path.name)
        )
    return sealing.opened(content)


def mend(what: str) -> str:
    """What to do about a damaged file of a results folder."""
    return f"run the spec again (grasp-bench run): it writes {what} anew"


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")
