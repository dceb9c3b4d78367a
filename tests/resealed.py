"""An artefact that a test has changed on purpose, made to look as if it had been written so."""

from __future__ import annotations

import json
from pathlib import Path

from grasp_bench.core import hashing, integrity


def reseal(folder: Path) -> None:
    """Take the checksums of a finished artefact's files anew."""
    sidecar = folder / integrity.SIDECAR
    content = hashing.without_checksum(json.loads(sidecar.read_text()))
    hashing.write(sidecar, {**content, "files": integrity.measure(folder)})
