"""`grasp-bench new`: a small package with a backbone or an enhancer, to install, test and change."""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated, Literal

import typer

from grasp_bench.cli.output import say
from grasp_bench.core.errors import GraspBenchError

# Where each template goes, by its name in `new_package`; kind and name are filled in both.
FILES = {
    "pyproject.toml.txt": "pyproject.toml",
    "$kind.py.txt": "$name/__init__.py",
    "test.py.txt": "tests/test_$name.py",
    "$kind.yaml.txt": "demo.yaml",
}


def new(
    kind: Annotated[
        Literal["backbone", "enhancer"], typer.Argument(metavar="KIND", help="backbone or enhancer.")
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the package, such as fpmc.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="A folder that is not there yet; else NAME.")
    ] = None,
) -> None:
    """Write a small package with a backbone or an enhancer, its test and a demo spec.

    An existing folder is never written to.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise GraspBenchError(
            f"'{name}' is no name of a package", hint="use small letters, digits and _: fpmc, my_model"
        )
    folder = to or Path(name)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise GraspBenchError(f"{folder} exists already", hint="name another folder with --to") from None
    capital = "".join(part.capitalize() for part in name.split("_"))
    words = {"kind": kind, "name": name, "Class": capital}
    templates = files("grasp_bench.cli") / "new_package"
    for template, place in FILES.items():
        text = (templates / Template(template).substitute(words)).read_text(encoding="utf-8")
        path = folder / Template(place).substitute(words)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(text).substitute(words), encoding="utf-8")
    say(f"wrote {folder}; next: cd {folder} && python -m pytest && grasp-bench run demo.yaml")
