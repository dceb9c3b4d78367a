"""The program called in this process: nothing is imported again, which takes longer than most calls."""

from __future__ import annotations

import contextlib
from pathlib import Path
from unittest.mock import patch

from typer.testing import CliRunner, Result

from grasp_bench.cli import output
from grasp_bench.cli.app import app


def call(folder: Path, *arguments: object, **environment: str | None) -> Result:
    """Call `grasp-bench` with these arguments in a folder; None takes a variable away."""
    with contextlib.chdir(folder), patch.dict(output._LOG):  # `--log-format json` is for a whole process
        return CliRunner().invoke(app, [str(each) for each in arguments], env=environment)
