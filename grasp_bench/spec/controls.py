"""`controls:` — names of the baseline rows, and which of them apply to a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from grasp_bench.components import CONTROLS

# A method trained on the embeddings of other entities; all other controls are untrained.
SHUFFLED = "shuffled"
NAMES = (*CONTROLS, SHUFFLED)
ControlSeeds = Literal["first", "all"]
if TYPE_CHECKING:
    ControlName = str
else:
    ControlName = Literal[NAMES]


def reads_embeddings(name: str) -> bool:
    """Return whether a control needs a compared method that reads embeddings."""
    return name == SHUFFLED or bool(CONTROLS.get(name).reads)


def controls_asked(given: tuple[str, ...] | None, embeddings: bool) -> tuple[str, ...]:
    """Return the controls of a spec: those given, or all that apply except those that must be named.

    `embeddings` says whether any compared method reads embeddings. ValueError names a given control that does
    not apply.
    """
    lacking = [] if embeddings else [name for name in NAMES if reads_embeddings(name)]
    if given is None:
        named = [name for name in CONTROLS if CONTROLS.get(name).only_when_named]
        return tuple(name for name in NAMES if name not in (*lacking, *named))
    if missing := [name for name in given if name in lacking]:
        raise ValueError(f"{missing[0]} needs a compared method that reads embeddings")
    return given
