"""Sparse matrices that controls count and multiply with: users' items, histories, nearest entries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import History

GRAIN = 2.0**-20  # what is less apart has been rounded apart: about a millionth


def user_items(train: TrainPart) -> csr_array:
    """Whether a user has an item in training, (num_users, m) of ones: a repeat counts once."""
    keys = np.unique(train.train_users.astype(np.int64) * train.num_items + train.train_items)
    return _matrix(np.ones(len(keys)), keys, train.num_users, train.num_items)


def history_rows(history: History, num_items: int, decay: float) -> csr_array:
    """What each item of a history weighs, (B, m): `decay` to the power of the steps since it was had last.

    A decay of 1 weighs all items alike, one of 0 the last item alone. Weights below `GRAIN` are left out.
    """
    layout = history.layout
    keys = (layout.sequence_T * num_items + history.items_T).numpy()
    # The latest first, which is then the one that is kept.
    kept, latest = np.unique(keys[::-1], return_index=True)
    weights = decay ** layout.from_end_T().numpy()[::-1][latest].astype(np.float64)
    heavy = weights >= GRAIN
    return _matrix(weights[heavy], kept[heavy], layout.batch, num_items)


def entries(matrix: csr_array, columns_BK: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each row has in its own K columns, dense (B, K)."""
    matrix.sort_indices()
    rows, width = matrix.shape
    keys = np.repeat(np.arange(rows) * width, np.diff(matrix.indptr)) + matrix.indices
    wanted_BK = np.arange(rows)[:, None] * width + columns_BK
    if not len(keys):
        return np.zeros(wanted_BK.shape)
    place_BK = np.searchsorted(keys, wanted_BK).clip(max=len(keys) - 1)
    return np.where(keys[place_BK] == wanted_BK, matrix.data[place_BK], 0.0)


def nearest(matrix: csr_array, k: int) -> csr_array:
    """The k largest entries of each row, and those that tie with the k-th, so that no order decides."""
    values = rounded(matrix.data)
    kept = values > 0
    for row in np.flatnonzero(np.diff(matrix.indptr) > k):
        entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
        kept[entries] &= values[entries] >= np.partition(values[entries], -k)[-k]
    found = csr_array((np.where(kept, values, 0), matrix.indices, matrix.indptr), shape=matrix.shape)
    found.eliminate_zeros()
    return found


def rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiples of `GRAIN`, so that sums of the same numbers in another order are equal."""
    return np.rint(values / GRAIN) * GRAIN


def _matrix(values: NDArray[np.float64], keys: NDArray[np.int64], rows: int, columns: int) -> csr_array:
    """Values at row · columns + column, each at most once."""
    return coo_array((values, (keys // columns, keys % columns)), shape=(rows, columns)).tocsr()
