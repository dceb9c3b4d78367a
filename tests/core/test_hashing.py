from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.core.hashing import HASH_LENGTH, content_hash, file_hash

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_the_definition() -> None:
    assert (
        content_hash({"b": 1, "a": [None, "é"]})
        == (hashlib.sha256(rb'{"a":[null,"\u00e9"],"b":1}').hexdigest()[:HASH_LENGTH])
    )


@given(st.dictionaries(st.text(), VALUES, min_size=2, max_size=5))
def test_the_order_of_keys_does_not_count(value: dict[str, object]) -> None:
    assert content_hash(value) == content_hash(dict(reversed(value.items())))


@given(st.lists(VALUES, max_size=3))
def test_lists_and_tuples_are_the_same_and_nesting_is_not(value: list[object]) -> None:
    assert content_hash(value) == content_hash(tuple(value))
    assert content_hash(value) != content_hash([value])


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (1, "1"), (True, 1), (None, "null"), ("", None), ([1, 2], [2, 1])]
)
def test_different_meanings_differ(one: object, other: object) -> None:
    assert content_hash(one) != content_hash(other)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object()])
def test_what_has_no_stable_text_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        content_hash(value)


def test_another_process_agrees() -> None:
    code = (
        "from grasp_bench.core.hashing import content_hash; print(content_hash({'x': [1.5, 'é'], 'a': None}))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"},
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert other.stdout.strip() == content_hash({"a": None, "x": [1.5, "é"]})


def test_files_are_hashed_by_their_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(data)
    assert (
        file_hash(tmp_path / "a")
        == file_hash(tmp_path / "b")
        == hashlib.sha256(data).hexdigest()[:HASH_LENGTH]
    )
    (tmp_path / "b").write_bytes(data + b"\0")
    assert file_hash(tmp_path / "a") != file_hash(tmp_path / "b")
