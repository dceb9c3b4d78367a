"""Vectors from files: every format, matched by id, and everything that can be wrong with them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from grasp_bench.core.errors import DataError, MissingFileError
from grasp_bench.encoders.precomputed import PrecomputedVectors
from grasp_bench.encoders.vectors import check_vectors

IDS = ["b", "ü", "007", "extra"]
MATRIX = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def save(path: Path, matrix: np.ndarray = MATRIX, ids: list[str] = IDS) -> Path:
    if path.suffix == ".parquet":
        pl.DataFrame({"id": ids, "vector": matrix.tolist()}).write_parquet(path)
        return path
    if {".csv", ".jsonl"} & set(path.suffixes):
        path.write_bytes(packed(path, table_of(path, matrix, ids).encode()))
        return path
    if path.suffix == ".npy":
        np.save(path, matrix)
    else:
        save_file({"vectors": matrix}, path)
    path.with_suffix(".ids.txt").write_text("\n".join(ids) + "\n", "utf-8")
    return path


def table_of(path: Path, matrix: np.ndarray, ids: list[str]) -> str:
    rows = list(zip(ids, matrix.tolist(), strict=True))
    if ".csv" in path.suffixes:
        return "item_id,vector\n" + "".join(f'{name},"{json.dumps(vector)}"\n' for name, vector in rows)
    return "".join(json.dumps({"id": name, "embedding": vector}) + "\n" for name, vector in rows)


def packed(path: Path, content: bytes) -> bytes:
    return gzip.compress(content) if path.suffix == ".gz" else content


def read(path: Path, ids: list[str], normalize: bool = False) -> np.ndarray:
    return PrecomputedVectors({"items": str(path), "normalize": normalize}, "items").vectors(ids)[0]


@pytest.mark.parametrize(
    "name", ["v.npy", "v.parquet", "v.safetensors", "v.jsonl", "v.jsonl.gz", "v.csv", "v.csv.gz"]
)
def test_vectors_are_matched_by_id(tmp_path: Path, name: str) -> None:
    source = PrecomputedVectors({"users": str(save(tmp_path / name)), "normalize": False}, "users")
    vectors, facts = source.vectors(["007", "b"])
    np.testing.assert_array_equal(vectors, MATRIX[[2, 0]])
    assert (vectors.dtype, facts["unknown_ids"]) == (np.float32, 2)


def test_half_precision_is_widened_and_scaled_on_request(tmp_path: Path) -> None:
    vectors = read(save(tmp_path / "v.npy", MATRIX.astype(np.float16)), IDS, normalize=True)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors, MATRIX / np.linalg.norm(MATRIX, axis=1, keepdims=True), atol=2e-3)


def test_array_columns_and_integer_ids_of_parquet(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    columns = {
        "item_id": [7, 8],
        "embedding": pl.Series([[1.0, 2.0], [3.0, 4.0]], dtype=pl.Array(pl.Float64, 2)),
    }
    pl.DataFrame(columns).write_parquet(path)
    assert read(path, ["8", "7"]).tolist() == [[3, 4], [1, 2]]


def test_entities_without_a_vector_are_named_and_counted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no vector for 4 of 5 entities: 'p', 'q', 'r', …"):
        read(save(tmp_path / "v.npy"), ["p", "q", "b", "r", "s"])


def test_missing_entities_get_the_mean_if_asked(tmp_path: Path) -> None:
    settings = {"items": str(save(tmp_path / "v.npy")), "missing": "mean"}
    source = PrecomputedVectors({**settings, "normalize": False}, "items")
    vectors, facts = source.vectors(["gone", "007", "b", "away"])
    expected = MATRIX[[2, 0]].mean(axis=0)
    np.testing.assert_allclose(vectors, [expected, MATRIX[2], MATRIX[0], expected], rtol=1e-6)
    assert (facts["mean_of_others"], facts["unknown_ids"]) == (2, 2)
    unit = PrecomputedVectors({**settings, "normalize": True}, "items").vectors(["gone", "007", "b"])[0]
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    with pytest.raises(DataError, match="no vector for 2 of 2 entities") as caught:
        source.vectors(["gone", "away"])
    assert "ids" in str(caught.value.hint)


def test_a_broken_vector_is_named_before_it_spoils_the_mean(tmp_path: Path) -> None:
    broken = MATRIX.copy()
    broken[1, 0] = np.nan
    settings = {"items": str(save(tmp_path / "v.npy", broken)), "missing": "mean", "normalize": True}
    with pytest.raises(DataError, match="'ü' holds NaN"):
        PrecomputedVectors(settings, "items").vectors(["gone", "b", "ü"])


def test_tables_of_text_that_hold_no_vectors(tmp_path: Path) -> None:
    cases = {
        "v.jsonl": ('{"id": 7, "vector": [1.0, "x"]}\n', "not lists of floats|not a JSON Lines file"),
        "w.jsonl": (
            '{"id": 7, "vector": [1, 2]}\n{"id": 8, "vector": [1]}\n',
            "vector of '(7|8)' has",
        ),
        "x.jsonl": ('{"id": 7, "vector": [1.0, 2.0]}\n{"id": 8}\n', "'8' has no vector"),
        "v.csv": ("id,vector\na,1.0\n", "something else than lists"),
        "w.csv": ('id,vector\na,"[1, oops]"\n', "something else than lists"),
        "x.csv": ("id,vector\n", "no rows"),
        "y.csv": ("id,weight\na,1\n", "no column 'vector'"),
        "z.csv": ('id,vector\na,"[1.0, null]"\n', "NaN"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=message):
            check_vectors(read(tmp_path / name, ["7" if "jsonl" in name else "a"]), ["a"], unit_norm=False)


def test_integers_in_json_are_numbers_too(tmp_path: Path) -> None:
    (tmp_path / "v.jsonl").write_text(
        '{"user_id": 7, "vector": [1, 2]}\n{"user_id": "8", "vector": [0.5, 2]}\n'
    )
    assert read(tmp_path / "v.jsonl", ["8", "7"]).tolist() == [[0.5, 2], [1, 2]]


def test_repeated_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="id 'b' comes more than once"):
        read(save(tmp_path / "v.npy", ids=["b", "ü", "b", "x"]), ["b"])


def test_pickled_arrays_are_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    path.with_suffix(".ids.txt").write_text("a\n")
    with pytest.raises(DataError, match="not a plain array"):
        read(path, ["a"])


def test_wrong_shapes_and_types(tmp_path: Path) -> None:
    for matrix in (np.ones(4, np.float32), np.ones((4, 3), np.int64), np.ones((4, 3, 2), np.float32)):
        with pytest.raises(DataError, match="floats expected"):
            read(save(tmp_path / "v.npy", matrix), ["b"])
    with pytest.raises(DataError, match=r"v.ids.txt: 4 ids for 3 vectors"):
        read(save(tmp_path / "v.npy", MATRIX[:3]), ["b"])


def test_ragged_or_plain_parquet_columns(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    pl.DataFrame({"id": ["a", "b", "c"], "vector": [[1.0, 2.0], [1.0], [2.0, 3.0]]}).write_parquet(path)
    with pytest.raises(DataError, match="vector of 'b' has 1 dimensions, others have 2"):
        read(path, ["a"])
    for vector in (1.0, ["x"]):
        pl.DataFrame({"id": ["a"], "vector": [vector]}).write_parquet(path)
        with pytest.raises(DataError, match="not lists of floats"):
            read(path, ["a"])
    pl.DataFrame({"id": ["a"], "vec": [[1.0]]}).write_parquet(path)
    with pytest.raises(DataError, match="no column 'vector'"):
        read(path, ["a"])


@pytest.mark.parametrize("kind", [pl.List(pl.Float32), pl.Array(pl.Float32, 2)])
def test_empty_parquet_and_nulls_are_named(tmp_path: Path, kind: pl.DataType) -> None:
    path = tmp_path / "v.parquet"
    schema = {"id": pl.String, "vector": kind}
    cases = [
        ([], [], r"v\.parquet: no rows"),
        (["a", "b"], [[1.0, 2.0], None], r"v\.parquet: 'b' has no vector \(1 of 2"),
        (["a", "b"], [None, None], r"v\.parquet: 'a' has no vector \(2 of 2"),
        (["a", None], [[1.0, 2.0], [1.0, 2.0]], r"v\.parquet, row 2: no id"),
    ]
    for ids, vectors, message in cases:
        pl.DataFrame({"id": ids, "vector": vectors}, schema=schema).write_parquet(path)
        with pytest.raises(DataError, match=message):
            read(path, ["a"])


@pytest.mark.parametrize(
    "name", ["v.npy", "v.parquet", "v.safetensors", "v.pkl", "v.jsonl.gz", "v.csv", "v.txt"]
)
def test_garbage_and_absent_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises((MissingFileError, DataError), match=name):
        read(path, ["a"])
    for content in (b"", b"garbage" * 99):
        path.write_bytes(content)
        with pytest.raises(DataError, match=name):
            read(path, ["a"])


def test_ids_file_is_required_and_must_be_text(tmp_path: Path) -> None:
    beside = save(tmp_path / "v.npy").with_suffix(".ids.txt")
    beside.write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match=r"v\.ids\.txt:1: not UTF-8: byte 0xff"):
        read(tmp_path / "v.npy", ["a"])
    beside.unlink()
    with pytest.raises(MissingFileError, match=r"v\.ids\.txt"):
        read(tmp_path / "v.npy", ["a"])


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "NaN or infinity"), (np.inf, "NaN"), (0.0, "is zero"), (2.0, "unit norm")]
)
def test_checks_name_the_entity(value: float, message: str) -> None:
    vectors = np.eye(4, dtype=np.float32)
    vectors[2, 2] = value
    with pytest.raises(DataError, match=f"'c'.*{message}"):
        check_vectors(vectors, list("abcd"), unit_norm=True)


def test_checks_count() -> None:
    with pytest.raises(DataError, match="for 2 entities"):
        check_vectors(np.eye(3), ["a", "b"], unit_norm=True)
    check_vectors(np.eye(3) * 5, list("abc"), unit_norm=False)
