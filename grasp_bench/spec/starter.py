"""The commented spec that `grasp-bench init` writes."""

from __future__ import annotations

from importlib.resources import files


def starter_text(name: str) -> str:
    """The starter, named; it runs on the demo dataset as it is."""
    text = files("grasp_bench.spec").joinpath("starter.yaml").read_text(encoding="utf-8")
    return text.replace("name: starter", f"name: {name}", 1)
