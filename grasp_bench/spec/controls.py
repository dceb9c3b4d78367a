"""`controls:` — rows that no method should lose to, and that show what an evaluation is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from grasp_bench.components import CONTROLS

# A method trained on embeddings that belong to other entities; every other control is not trained.
SHUFFLED = "shuffled"
NAMES = (*CONTROLS, SHUFFLED)
ControlSeeds = Literal["first", "all"]
if TYPE_CHECKING:
    ControlName = str
else:
    ControlName = Literal[NAMES]


def reads_embeddings(name: str) -> bool:
    """Whether a control needs a compared method that reads embeddings."""
    return name == SHUFFLED or bool(CONTROLS.get(name).reads)


def controls_asked(given: tuple[str, ...] | None, embeddings: bool) -> tuple[str, ...]:
    """The controls of a spec: those given, or all that apply but those to be named.

    `embeddings` tells whether any method reads embeddings, as some controls do. ValueError names what is
    asked for and does not apply.
    """
    lacking = [] if embeddings else [name for name in NAMES if reads_embeddings(name)]
    if given is None:
        named = [name for name in CONTROLS if CONTROLS.get(name).only_when_named]
        return tuple(name for name in NAMES if name not in (*lacking, *named))
    if missing := [name for name in given if name in lacking]:
        raise ValueError(f"{missing[0]} needs a compared method that reads embeddings")
    return given
