"""Durations for people."""

from __future__ import annotations

import pytest

from grasp_bench.core.words import readable


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_seconds_are_for_people(value: float, text: str) -> None:
    assert readable(value) == text
