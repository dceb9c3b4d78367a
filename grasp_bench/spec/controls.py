"""`controls:` — rows that no method should lose to, and that show what an evaluation is worth."""

from __future__ import annotations

from typing import Literal, get_args

ControlName = Literal["popularity", "markov", "item_knn", "random", "constant", "shuffled"]
ControlSeeds = Literal["first", "all"]
CONTROLS: tuple[str, ...] = get_args(ControlName)

# A method that reads embeddings, trained on embeddings that belong to others; the rest is not trained.
SHUFFLED = "shuffled"
# Controls that read embeddings: without being named, they are only there where some method reads some.
READ_EMBEDDINGS = frozenset({"item_knn", SHUFFLED})
