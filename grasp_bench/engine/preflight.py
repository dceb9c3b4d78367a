"""What can be known to fail before hours are spent: no place, no permission."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from grasp_bench.core import atomic
from grasp_bench.core.errors import StoreError
from grasp_bench.core.store import Store

SPARE_MB = 200.0  # below this a disk counts as full whatever the estimate says


def check(store: Store, results: Path, disk_mb: float) -> None:
    """Raise StoreError when store or results cannot be written or the disk is too small for them."""
    store.check_writable()
    probe = results / f".probe-{uuid.uuid4().hex[:8]}"
    try:
        atomic.write_text(probe, "")
        probe.unlink()
    except OSError as error:
        raise StoreError(
            f"{results}: cannot be written ({error.strerror or error})", mend="pass --results"
        ) from None
    free = shutil.disk_usage(store.root).free / 1e6
    if free < SPARE_MB + disk_mb:
        raise StoreError(
            f"{store.root}: {free:,.0f} MB free, about {SPARE_MB + disk_mb:,.0f} MB needed",
            mend="free the disk or pass --store",
        )
