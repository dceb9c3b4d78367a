"""Ids in TREC's blank-separated files: what is written can be split again, by any reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.core.errors import DataError
from grasp_bench.core.ranks import qrels_line, quoted, run_lines, unquoted


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1))
def test_any_id_is_one_field_and_comes_back(identifier: str) -> None:
    field = quoted(identifier)
    assert field.split() == [field]
    assert unquoted(field) == identifier
    assert field.isprintable()


def test_usual_ids_stay_as_they_are() -> None:
    for identifier in ("A1YJEY40YUW4SE", "B000052YAN", "7", "Ünï/cöde#&?+", "Q0"):
        assert quoted(identifier) == identifier


def test_blanks_and_percent_signs_are_encoded() -> None:
    assert quoted("100 % pure\tgold") == "100%20%25%20pure%09gold"
    assert quoted("no\u00a0break\u2028") == "no%C2%A0break%E2%80%A8"


def test_nothing_cannot_be_written() -> None:
    with pytest.raises(DataError, match="empty id"):
        quoted("")


def test_lines() -> None:
    assert qrels_line("u", "i") == "u 0 i 1\n"
    assert run_lines("u", ["a", "b"], ["2", "1.5"], "tag") == "u Q0 a 1 2 tag\nu Q0 b 2 1.5 tag\n"
