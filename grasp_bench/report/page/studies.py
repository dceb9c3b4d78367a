"""What studies left beside the cells of a spec, read and checked before anything is drawn from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from grasp_bench.core.errors import DataError
from grasp_bench.core.hashing import content_hash
from grasp_bench.report.findings.attention import Attention
from grasp_bench.report.findings.freshness import Freshness
from grasp_bench.report.findings.latency import Latency
from grasp_bench.report.findings.probe import Probes
from grasp_bench.report.findings.tuning import Tuning
from grasp_bench.report.study import read_object

Found = TypeVar("Found")
COMMANDS = {
    "tuning": "grasp-bench tune",
    "attention": "grasp-bench inspect attention",
    "latency": "grasp-bench latency",
    "freshness": "grasp-bench freshness",
    "probe": "grasp-bench probe",
}


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
    files = {name: folder / f"{name}.json" for name in COMMANDS}
    present = {path.name: content_hash(read_object(path)) for path in files.values() if path.is_file()}
    return Studies(
        tuning=_read(files["tuning"], Tuning),
        attention=_read(files["attention"], Attention),
        latency=_read(files["latency"], Latency),
        freshness=_read(files["freshness"], Freshness),
        probe=_read(files["probe"], Probes),
        hashes=present,
    )


def _read(path: Path, shape: type[Found]) -> Found | None:
    if not path.is_file():
        return None
    mend = f"delete it and run {COMMANDS[path.stem]} again"
    try:
        content = read_object(path)
        return TypeAdapter(shape, config=ConfigDict(allow_inf_nan=False)).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: {where}: {first['msg']}", mend=mend) from None
    except DataError as error:
        raise DataError(error.message, mend=mend) from None
