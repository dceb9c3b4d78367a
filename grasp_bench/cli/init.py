"""`grasp-bench init`: write a commented starter spec."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from grasp_bench.cli.output import say
from grasp_bench.core.errors import GraspBenchError
from grasp_bench.spec.scalars import resolve


def init(
    path: Annotated[
        Path, typer.Argument(metavar="[PATH]", help="File to write, or a folder for starter.yaml.")
    ] = Path("starter.yaml"),
) -> None:
    """Write a commented starter spec that runs on the generated demo dataset.

    An existing file is never overwritten.
    """
    target = path / "starter.yaml" if path.is_dir() else path
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # "x" and not an atomic rename: a second writer must fail.
        with target.open("x", encoding="utf-8") as stream:
            stream.write(starter_text(spec_name(target)))
    except FileExistsError:
        raise GraspBenchError(
            f"{target} exists already", hint="name another file, or delete it first"
        ) from None
    say(f"wrote {target}; next: grasp-bench validate {target}")


def spec_name(path: Path) -> str:
    """Turn a file name into a valid spec name."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", path.stem).lstrip("_.-")
    return name[:80] or "starter"


def starter_text(name: str) -> str:
    """Return the starter spec with its name; it runs on the demo dataset."""
    text = files("grasp_bench.spec").joinpath("starter.yaml").read_text(encoding="utf-8")
    written = name if isinstance(resolve(name), str) else f"'{name}'"  # `name: 1` would be a number
    return text.replace("name: starter", f"name: {written}", 1)
