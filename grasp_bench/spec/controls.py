"""`controls:` — rows that no method should lose to, and that show what an evaluation is worth."""

from __future__ import annotations

from typing import Literal, get_args

ControlName = Literal[
    "popularity", "markov", "markov_symmetric", "markov_backoff", "item_cf", "sequence_knn", "ease",
    "item_knn", "random", "constant", "shuffled",
]  # fmt: skip
ControlSeeds = Literal["first", "all"]
CONTROLS: tuple[ControlName, ...] = get_args(ControlName)

# A method that reads embeddings, trained on embeddings that belong to others. The others are not trained.
SHUFFLED: ControlName = "shuffled"
# Of the enhancers that read embeddings, those whose gain is claimed to come from whom they belong to.
SHUFFLED_ENHANCERS = ("llmesr", "grasp")
READ_EMBEDDINGS: tuple[ControlName, ...] = ("item_knn", SHUFFLED)
# Its memory grows with the square of the catalogue.
ONLY_WHEN_NAMED: tuple[ControlName, ...] = ("ease",)


def controls_asked(given: tuple[ControlName, ...] | None, embeddings: bool) -> tuple[ControlName, ...]:
    """The controls of a spec: those given, or all that apply but `ONLY_WHEN_NAMED`.

    `embeddings` tells whether any method reads embeddings of items, as some controls do. ValueError names
    what is asked for and does not apply.
    """
    lacking = () if embeddings else READ_EMBEDDINGS
    if given is None:
        return tuple(name for name in CONTROLS if name not in (*lacking, *ONLY_WHEN_NAMED))
    if missing := [name for name in given if name in lacking]:
        raise ValueError(f"{missing[0]} needs a compared method that reads embeddings")
    return given
