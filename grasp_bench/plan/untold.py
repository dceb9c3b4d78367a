"""Texts that nothing is there to make them of: refused before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable

from grasp_bench.core.errors import DataError
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.locations import ROOT_VARIABLE, Located, root_in_words
from grasp_bench.spec.public_sets import PUBLIC_SETS, how_to_make

ELSEWHERE = "./prepared"
ITEMS_FILE = "add items.csv (item_id, title and whatever else is known), or use precomputed texts or vectors"


def refuse_untold(nodes: Iterable[Node], located: Located) -> None:
    """Raise DataError when texts are to tell of items, and the dataset has no items file.

    Users may be told by their own attributes instead, where there is a users file. The text stage would
    find out as well, after what goes before it has been computed.
    """
    if located.generated or located.items is not None:
        return
    sides = [
        node.settings["side"]
        for node in nodes
        if node.stage == "text" and node.settings["source"]["provider"] != "precomputed"
    ]
    untold = [side for side in dict.fromkeys(sides) if side == "items" or located.users is None]
    if untold:
        raise DataError(
            f"{located.interactions}: has no items file beside it, and "
            f"{' and '.join(f'text.{side}' for side in untold)} tell of items by their titles",
            mend=_mend(located),
        )


def _mend(located: Located) -> str:
    if located.name not in PUBLIC_SETS:
        return ITEMS_FILE
    # What lies under the name is not overwritten: it was not made by `data prepare`, which makes items too.
    where = f"{ELSEWHERE}, since {root_in_words()} holds other data of that name, which are left as they are"
    return how_to_make(located.name, where, f"{ROOT_VARIABLE}={ELSEWHERE} ")
