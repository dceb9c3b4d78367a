"""Random orders where the file's would decide: of equal times, or of runs of ascending ids.

Publishers' files are often sorted by item, and their times as coarse as days: what stands last in a history
is then the item of the highest id, and says nothing of taste.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import DataError
from grasp_bench.data.id_order import id_ranks
from grasp_bench.data.sequences import Sequences, says_only_places
from grasp_bench.spec.repair import Repair

Bools = NDArray[np.bool_]


def reordered(sequences: Sequences, order: str, repair: Repair, name: str) -> Sequences:
    """The histories as `time_ties` and `ascending_runs` want them; `order` names the column they came by.

    Raises DataError, naming the dataset, where the data are not of the kind that the key is for.
    """
    if repair.reordering is None:
        return sequences
    places = says_only_places(sequences, order)
    if repair.ascending_runs == "shuffle":
        if not places:
            raise DataError(
                f"{name}: ascending_runs: shuffle is for files without times, but '{order}' holds times",
                mend="set dataset.repair.time_ties: shuffle (or block), and leave ascending_runs out",
            )
        return shuffled(sequences, begins_run(sequences), repair.order_seed)
    if places:
        raise DataError(
            f"{name}: time_ties: {repair.time_ties} needs times, but histories are ordered by '{order}', "
            "which says only which interaction of a user came first",
            mend="set dataset.columns.order to a column of times; without times there is "
            "dataset.repair.ascending_runs: shuffle",
        )
    return shuffled(sequences, ~sequences.tied, repair.order_seed)


def begins_run(sequences: Sequences) -> Bools:
    """Whether each row's id is below that of the row before, or its user another, (R,)."""
    ranks = id_ranks(sequences.item_ids)[sequences.items]
    return np.concatenate([[True], (np.diff(ranks) < 0) | (np.diff(sequences.users) != 0)])[: len(ranks)]


def shuffled(sequences: Sequences, begins: Bools, seed: int) -> Sequences:
    """Items of each group in random order, times where they are; `begins` (R,) is true where one begins."""
    keys = np.random.default_rng(seed).random(len(begins))
    return replace(sequences, items=sequences.items[np.lexsort((keys, np.cumsum(begins)))])
