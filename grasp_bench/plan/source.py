"""The source that a training ran on, so that figures of an edited model are not shown without a word.

A hash has the version of a stage and not its source: a refactoring keeps what is stored. In an editable
checkout a training notes the source of its models and its loop, and a cached one of other source is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from grasp_bench.components import BACKBONES, ENHANCERS
from grasp_bench.core.hashing import content_hash
from grasp_bench.core.integrity import sidecar_if_whole
from grasp_bench.core.plugins import source_version
from grasp_bench.core.store import Store
from grasp_bench.plan.nodes import Node

PARTS = ("grasp_bench.models", "grasp_bench.training")
LOOP = "grasp_bench.training.loop:Trainer"
SOURCE = "source"  # among the facts of a training


@cache
def source_of(backbone: str | None, enhancer: str) -> str:
    """Return a hash of the modules of `PARTS` that train this backbone, if any, and enhancer."""
    own = () if backbone is None else (BACKBONES.get(backbone).implementation,)
    targets = (*own, ENHANCERS.get(enhancer).implementation, LOOP)
    return content_hash([source_version(target, PARTS) for target in targets])


def is_editable() -> bool:
    """Return whether this package is a checkout, whose source may change between two runs."""
    return "site-packages" not in Path(__file__).parts


def made_by_other_source(nodes: Iterable[Node], store: Store) -> list[Node]:
    """Return the cached trainings that noted another source than is here now."""
    if not is_editable():
        return []
    found = []
    for node in nodes:
        sidecar = sidecar_if_whole(store.folder("train", node.hash)) if node.stage == "train" else None
        noted = (sidecar or {}).get("facts", {}).get(SOURCE)
        if noted is None:
            continue
        model = node.settings["model"]
        if noted != source_of(model.get("backbone"), model["enhancer"]):
            found.append(node)
    return found


def note_of_source(nodes: Iterable[Node], store: Store) -> list[str]:
    """Return a sentence on cached trainings that other source has made; none where there are none."""
    found = made_by_other_source(nodes, store)
    if not found:
        return []
    first = found[0]
    many = f"{len(found)} cached trainings were" if len(found) > 1 else "one cached training was"
    return [
        f"{many} made by other source of {' and '.join(PARTS)} than is here now ({first.label}): its "
        f"figures are those of the earlier source; to train anew, delete {store.folder('train', first.hash)}"
        + (" and the like" if len(found) > 1 else "")
    ]
