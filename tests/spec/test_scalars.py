"""Plain scalars follow the tables of YAML 1.2.2, chapter 10.3.2."""

from __future__ import annotations

import pytest

from grasp_bench.spec.scalars import resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1e3", 1000.0), ("1.", 1.0), (".5", 0.5), ("-2.5E+1", -25.0), ("+1", 1), ("-0", 0),
        ("010", 10), ("0o10", 8), ("0xFF", 255), ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("y", "y"), ("NO", "NO"),
        ("tRUE", "tRUE"),
        ("2024-01-01", "2024-01-01"), ("1:30", "1:30"), ("1_000", "1_000"), ("0b11", "0b11"), ("1e", "1e"),
        ("=", "="), ("nan", "nan"), ("inf", "inf"), ("NDCG@10", "NDCG@10"), (".", "."), ("+", "+"),
        ("１", "１"),  # a full-width digit
    ],
)  # fmt: skip
def test_value_and_type(text: str, value: object) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        ".nan",
        ".NaN",
        ".inf",
        "-.Inf",
        "+.INF",
        "1e309",
        "-1e309",
        str(2**63),
        str(-(2**63) - 1),
        "0x" + "f" * 17,
    ],
)
def test_numbers_without_a_finite_64_bit_value_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"finite|too large|64 bits"):
        resolve(text)
