"""The contract of metrics, run for every registered one, and broken in each way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from grasp_bench.components import METRICS
from grasp_bench.core import ranks
from grasp_bench.core.errors import PluginError
from grasp_bench.testing import check_metric


@pytest.mark.parametrize("name", METRICS.names())
def test_registered_metrics_keep_the_contract(name: str) -> None:
    check_metric(name)


def test_those_that_a_board_computes_are_those_registered() -> None:
    assert list(ranks.METRICS) == list(METRICS)
    assert all(ranks.METRICS[name] is METRICS.implementation(name).gains for name in METRICS)


@pytest.mark.parametrize(
    ("gains", "message"),
    [
        (lambda k: np.ones(k + 1), "has 2 gains"),
        (lambda k: 2 * np.ones(k), r"outside \[0, 1\]"),
        (lambda k: np.full(k, np.nan), r"outside \[0, 1\]"),
        (lambda k: np.linspace(0, 1, k), "rises with the rank"),
    ],
)
def test_each_broken_promise_is_named(
    gains: Callable[[int], np.ndarray], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks.HR, "gains", staticmethod(gains))
    with pytest.raises(PluginError, match=message):
        check_metric("HR")
