"""What a contrast decides, where a difference may have to be of a certain size to matter."""

from __future__ import annotations

from dataclasses import dataclass

from grasp_bench.stats.crossed import Contrast

ABOVE, EQUIVALENT, BELOW = "above", "equivalent", "below"


@dataclass(frozen=True)
class Region:
    """Where the true difference lies, and the p of saying so; the p is corrected before it is believed."""

    where: str
    p: float


def region(contrast: Contrast, at_least: float = 0.0) -> Region:
    """The most likely of three: above `at_least`, between the two bounds, or below minus `at_least`.

    The three exclude each other, so that one p serves all: twice the least of the one-sided ones. Below alpha
    it says that the 1 - alpha interval lies wholly in that region. Between the bounds that is the test of two
    one-sided tests (Schuirmann 1987), each at alpha / 2. With `at_least` 0 there is nothing between, and p is
    the two-sided one of "no difference".
    """
    found = [Region(ABOVE, contrast.above(at_least)), Region(BELOW, contrast.below(-at_least))]
    if at_least > 0:
        found.append(Region(EQUIVALENT, max(contrast.below(at_least), contrast.above(-at_least))))
    best = min(found, key=lambda each: each.p)
    return Region(best.where, min(1.0, 2 * best.p))
