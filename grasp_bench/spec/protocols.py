"""`protocol: paper | strict | temporal | strong` — named sets of values for keys that the spec leaves out.

A preset fills keys before validation; values of the file, its includes or `--set` win. Each key of `paper` is
one hazard of the published protocol (docs/honest_numbers.md).
"""

from __future__ import annotations

from typing import Any

from grasp_bench.core.words import did_you_mean
from grasp_bench.spec.problems import Problems, describe
from grasp_bench.spec.tree import Entry, Node, Place, assign, from_plain, locate, remove

KEY = "protocol"

PAPER: dict[str, Any] = {
    "dataset.protocol.split": "leave_one_out",
    "dataset.protocol.candidates": "redrawn",
    "dataset.protocol.validation_negatives": "outside_all",
    "dataset.protocol.ties": "optimistic",
    "dataset.protocol.also_full_ranking": False,
    "dataset.protocol.groups.count_on": "all",
    "dataset.protocol.groups.first_user": "skipped",
    "model.causal": False,
    "training.loss.kind": "bce",
    "training.monitor_protocol": "sampled",
}
STRICT: dict[str, Any] = {
    "dataset.protocol.split": "leave_one_out",
    "dataset.protocol.candidates": "stored",
    "dataset.protocol.validation_negatives": "outside_known",
    "dataset.protocol.ties": "mean",
    "dataset.protocol.also_full_ranking": True,
    "dataset.protocol.groups.count_on": "train",
    "dataset.protocol.groups.first_user": "counted",
    "model.causal": True,
    "training.loss.kind": "bce",
    "training.monitor_protocol": "sampled",
}
# Training as for strong baselines, measured as in STRICT: specs/beauty_strong.yaml is its board.
STRONG: dict[str, Any] = STRICT | {
    "model.embedding_dim": 128,
    "model.max_len": 50,
    "model.dropout": 0.2,
    "training.loss.kind": "softmax",
    "training.monitor_protocol": "full",
}
PROTOCOLS: dict[str, dict[str, Any]] = {
    "paper": PAPER,
    "strict": STRICT,
    "temporal": STRICT | {"dataset.protocol.split": "temporal"},
    "strong": STRONG,
}
# Keys that a spec may not change under a named protocol.
DEFINING = ("dataset.protocol.split",)


def with_preset(tree: Node, problems: Problems) -> Node:
    """Fill the keys that a spec leaves out from its protocol; unknown names are noted as problems."""
    found = locate(tree, (KEY,))
    if not found.whole or found.node.broken or found.node.value is None:
        return tree
    name = found.node.value
    if not isinstance(name, str) or name not in PROTOCOLS:
        problems.add(found.node.place, KEY, _what_is_wrong(name))
        return remove(tree, (KEY,))
    for key, value in PROTOCOLS[name].items():
        path = key.split(".")
        said = locate(tree, path)
        if said.whole and key in DEFINING and said.node.value != value and not said.node.broken:
            message = f"{describe(said.node.value)} contradicts protocol '{name}', which means {value}"
            problems.add(said.node.place, key, message)
        # Below a value that is no mapping there is nothing to fill; validation reports it.
        if not said.whole and isinstance(said.node.value, dict):
            place = Place(f"protocol {name} at {found.node.place}")
            tree = assign(tree, path, Entry(place, from_plain(value, place)))
    return tree


def _what_is_wrong(name: Any) -> str:
    if isinstance(name, dict):
        return f"expected one of {', '.join(PROTOCOLS)}; the section of this name is dataset.protocol"
    hint = did_you_mean(name, PROTOCOLS) if isinstance(name, str) else ""
    return f"{describe(name)} is not one of {', '.join(PROTOCOLS)}{hint}"
