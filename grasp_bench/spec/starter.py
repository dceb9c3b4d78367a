"""The commented spec that `grasp-bench init` writes."""

from __future__ import annotations

from importlib.resources import files

from grasp_bench.spec.scalars import resolve


def starter_text(name: str) -> str:
    """The starter, named; it runs on the demo dataset as it is."""
    text = files("grasp_bench.spec").joinpath("starter.yaml").read_text(encoding="utf-8")
    written = name if isinstance(resolve(name), str) else f"'{name}'"  # `name: 1` would be a number
    return text.replace("name: starter", f"name: {written}", 1)
