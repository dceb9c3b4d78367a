"""Studies that a report shows: found by name, their findings read and checked.

A study is a folder in `grasp_bench/studies/` and a line here. Its `schema.py` and `report.py` import nothing
heavier than this package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from grasp_bench.core.errors import DataError
from grasp_bench.core.hashing import content_hash
from grasp_bench.core.published import read_object
from grasp_bench.core.registry import Registry
from grasp_bench.report.document import Document, Section

TARGETS = {  # in the order of a page
    "tuning": "grasp_bench.studies.tuning.report:STUDY",
    "method_tuning": "grasp_bench.studies.tuning.methods_report:STUDY",
    "attention": "grasp_bench.studies.attention.report:STUDY",
    "latency": "grasp_bench.studies.latency.report:STUDY",
    "freshness": "grasp_bench.studies.freshness.report:STUDY",
    "probe": "grasp_bench.studies.probe.report:STUDY",
    "instruction": "grasp_bench.studies.instruction.report:STUDY",
}
FILES = tuple(f"{name}.json" for name in TARGETS)


def _nothing(found: Any) -> tuple[()]:
    return ()


@dataclass(frozen=True)
class Study:
    """How the findings of one study, `results/<spec>/<name>.json`, are checked and shown.

    `schema` is a TypedDict, `command` writes the file. `document` serves every format, `details` adds folded
    sections to a page, `summary` adds sentences to its head.

    Example:
        >>> Study("Probe", "grasp-bench probe", Probes, lay_out_probes)
    """

    title: str
    command: str
    schema: type
    document: Callable[[Any], Document]
    details: Callable[[Any], Iterable[Section]] = _nothing
    summary: Callable[[Any], Iterable[str]] = _nothing


STUDIES: Registry[Study] = Registry("study", TARGETS)


@dataclass(frozen=True)
class Findings:
    """The checked findings of one study; `hash` is of the file's content."""

    name: str
    study: Study
    found: Mapping[str, Any]
    hash: str


def read_findings(folder: Path) -> list[Findings]:
    """Read `results/<spec>/<study>.json` of every study that has one, in the order of a page.

    Raises DataError naming file and key for one that is damaged, or not of the study's schema.
    """
    return [_read(name, path) for name in TARGETS if (path := folder / f"{name}.json").is_file()]


def _read(name: str, path: Path) -> Findings:
    study = STUDIES.get(name)
    hint = f"run {study.command} again: it writes {path.name} anew"
    try:
        content = read_object(path)
        TypeAdapter(study.schema).validate_python(content, strict=True)
    except DataError as error:
        raise DataError(error.message, hint=hint) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise DataError(f"{path}: {where}: {first['msg']}", hint=hint) from None
    return Findings(name, study, content, content_hash(content))
