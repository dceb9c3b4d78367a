"""The encoder that tests with real vectors need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def needed_model() -> Path:
    """Folder of all-MiniLM-L6-v2; skips without it on a laptop, fails where CI=true."""
    from grasp_bench.core.errors import GraspBenchError
    from grasp_bench.encoders.pretrained import locate_model

    try:
        return locate_model("all-MiniLM-L6-v2")
    except GraspBenchError as error:
        if os.environ.get("CI") == "true":  # there the extra `offline` brings the model
            raise
        pytest.skip(str(error))
