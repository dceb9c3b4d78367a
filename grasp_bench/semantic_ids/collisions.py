"""Give items that share all codes codes of their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor

from grasp_bench.core.errors import DataError
from grasp_bench.semantic_ids.base import Quantised

Resolved = tuple[Tensor, tuple[int, ...]]  # codes (m, L), and the number of codes of each level


def keep(quantised: Quantised, codebook_size: int) -> Resolved:
    """Leave the codes as they are: items that share all of them get the same score."""
    return quantised.codes_mL, quantised.sizes or (codebook_size,) * quantised.codes_mL.shape[1]


def extra_level(quantised: Quantised, codebook_size: int) -> Resolved:
    """Append a level that counts the items of the same codes, from 0, in the order of items (TIGER)."""
    codes_mL = quantised.codes_mL
    place_m = place_among_alike(codes_mL)
    codes, sizes = keep(quantised, codebook_size)
    return torch.cat([codes, place_m[:, None]], dim=1), (*sizes, int(place_m.max()) + 1)


def nearest_free(quantised: Quantised, codebook_size: int) -> Resolved:
    """Move all but the best fitting of such items to the nearest free code of the last level.

    Codes that stand for nothing are tried in order. DataError where more items share the levels before than
    the last one has codes.
    """
    codes_mL, sizes = quantised.codes_mL.clone(), keep(quantised, codebook_size)[1]
    taken: dict[tuple[int, ...], set[int]] = defaultdict(set)
    alone_m = torch.ones(len(codes_mL), dtype=torch.bool)
    crowds = [crowd for crowd in groups_of_alike(codes_mL) if len(crowd) > 1]
    for crowd in crowds:
        alone_m[crowd] = False
    for *prefix, code in codes_mL[alone_m].tolist():
        taken[tuple(prefix)].add(code)
    away = _distances(quantised, sizes[-1])
    waiting: list[int] = []
    for crowd in crowds:
        code = int(codes_mL[crowd[0], -1])
        order = sorted(crowd, key=lambda item: (float(away(item)[code]), item))
        taken[tuple(codes_mL[crowd[0], :-1].tolist())].add(code)
        waiting += order[1:]
    for item in waiting:
        used = taken[tuple(codes_mL[item, :-1].tolist())]
        free = [code for code in away(item).argsort(stable=True).tolist() if code not in used]
        if not free:
            raise DataError(
                f"semantic_ids: more than {sizes[-1]} items share the codes before the last level",
                hint="raise semantic_ids.codebook_size or levels, or use collisions: extra_level",
            )
        codes_mL[item, -1] = free[0]
        used.add(free[0])
    return codes_mL, sizes


POLICIES: dict[str, Callable[[Quantised, int], Resolved]] = {
    "extra_level": extra_level,
    "nearest_free": nearest_free,
    "keep": keep,
}


def place_among_alike(codes_mL: Tensor) -> Tensor:
    """Number the items of the same codes from 0, in the order of items, (m,)."""
    _, group_m = codes_mL.unique(dim=0, return_inverse=True)
    ordered_m, order_m = group_m.sort(stable=True)
    sizes = torch.bincount(ordered_m)
    first_m = (sizes.cumsum(0) - sizes)[ordered_m]
    return torch.empty_like(group_m).index_copy_(0, order_m, torch.arange(len(group_m)) - first_m)


def groups_of_alike(codes_mL: Tensor) -> list[list[int]]:
    """Return the items of each tuple of codes."""
    _, group_m = codes_mL.unique(dim=0, return_inverse=True)
    order_m = group_m.sort(stable=True).indices
    return [each.tolist() for each in order_m.split(torch.bincount(group_m).tolist())]


def _distances(quantised: Quantised, size: int) -> Callable[[int], Tensor]:
    """Return the function from an item to its distance from each code of the last level."""
    left_mE, last_KE = quantised.left_mE, quantised.last_KE
    if left_mE is None or last_KE is None:
        return lambda item: (torch.arange(size) - quantised.codes_mL[item, -1]) % size

    def away(item: int) -> Tensor:
        near_K = (last_KE - left_mE[item]).square().sum(1)
        # Fewer items than codes: those without a centre come last.
        return torch.cat([near_K, near_K.new_full((size - len(near_K),), torch.inf)])

    return away
