"""What studies left beside the cells of a spec, read and checked before anything is drawn from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from grasp_bench.core.errors import DataError
from grasp_bench.core.hashing import content_hash
from grasp_bench.core.published import read_object
from grasp_bench.report.findings.attention import Attention
from grasp_bench.report.findings.freshness import Freshness
from grasp_bench.report.findings.latency import Latency
from grasp_bench.report.findings.probe import Probes
from grasp_bench.report.findings.tuning import Tuning

Found = TypeVar("Found")
COMMANDS = {
    "tuning": "grasp-bench tune",
    "attention": "grasp-bench inspect attention",
    "latency": "grasp-bench latency",
    "freshness": "grasp-bench inspect freshness",
    "probe": "grasp-bench probe",
}
FILES = tuple(f"{name}.json" for name in COMMANDS)


@dataclass(frozen=True)
class Studies:
    """Findings by study, None where there are none; `hashes` are of the files' contents, by file name."""

    tuning: Tuning | None
    attention: Attention | None
    latency: Latency | None
    freshness: Freshness | None
    probe: Probes | None
    hashes: dict[str, str]


def read_studies(folder: Path) -> Studies:
    """Read `results/<spec>/{tuning,attention,latency,freshness,probe}.json`, as far as they are there.

    Raises DataError naming file and key for one that is damaged, or not of the shape in report/findings.
    """
    paths = {name: folder / file for name, file in zip(COMMANDS, FILES, strict=True)}
    found = {name: _read(path) for name, path in paths.items() if path.is_file()}

    def checked(name: str, shape: type[Found]) -> Found | None:
        return _checked(paths[name], found[name], shape) if name in found else None

    return Studies(
        tuning=checked("tuning", Tuning),
        attention=checked("attention", Attention),
        latency=checked("latency", Latency),
        freshness=checked("freshness", Freshness),
        probe=checked("probe", Probes),
        hashes={paths[name].name: content_hash(content) for name, content in found.items()},
    )


def _read(path: Path) -> Any:
    try:
        return read_object(path)
    except DataError as error:
        raise DataError(error.message, mend=_mend(path)) from None


def _checked(path: Path, content: Any, shape: type[Found]) -> Found:
    try:
        return TypeAdapter(shape).validate_python(content, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise DataError(f"{path}: {where}: {first['msg']}", mend=_mend(path)) from None


def _mend(path: Path) -> str:
    return f"run {COMMANDS[path.stem]} again: it writes {path.name} anew"
