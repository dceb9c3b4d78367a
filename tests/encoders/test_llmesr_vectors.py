"""LLM-ESR's published folder: row k for number k + 1, raw ids by the map, written by pickle itself."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from grasp_bench.core.errors import DataError, MissingFileError
from grasp_bench.encoders.precomputed import PrecomputedVectors

# As get_item_embedding.ipynb does it: a list of lists, made an array of float64, pickled by default.
PUBLISH = """
import pickle, sys
import numpy as np
emb_list = [[float(k), 1.0] for k in range(1, 5)]
pickle.dump(np.array(emb_list), open(sys.argv[1] + "/itm_emb_np.pkl", "wb"))
pickle.dump(-np.array(emb_list), open(sys.argv[1] + "/usr_emb_np.pkl", "wb"))
"""
RAW = {"B00A": "1", "B00B": "2", "B00C": "3", "B00D": "4"}


@pytest.fixture
def handled(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, "-c", PUBLISH, str(tmp_path)], check=True)
    return tmp_path


def read(path: Path, ids: list[str], side: str = "items", **settings: object) -> list[list[float]]:
    source = PrecomputedVectors({side: str(path), "normalize": False, **settings}, side)
    return source.vectors(ids)[0].tolist()


def put_map(folder: Path, items: dict[str, object], **others: object) -> None:
    (folder / "id_map.json").write_text(json.dumps({"item2id": items, **others}))


def test_numbers_begin_with_one(handled: Path) -> None:
    assert read(handled / "itm_emb_np.pkl", ["3", "1"]) == [[3, 1], [1, 1]]
    with pytest.raises(DataError, match="no vector for 2 of 3 entities: '0', '5'"):
        read(handled / "itm_emb_np.pkl", ["0", "4", "5"])


def test_a_folder_stands_for_its_two_files(handled: Path) -> None:
    assert read(handled, ["2"]) == [[2, 1]]
    assert read(handled, ["2"], "users") == [[-2, -1]]
    (handled / "usr_emb_np.pkl").unlink()
    with pytest.raises(MissingFileError, match=r"usr_emb_np\.pkl"):
        read(handled, ["2"], "users")


@pytest.mark.parametrize("numbers", [RAW, {raw: int(number) for raw, number in RAW.items()}])
def test_raw_ids_by_the_map(handled: Path, numbers: dict[str, object]) -> None:
    put_map(handled, numbers, user2id={"ü": "1", "v": "2", "w": "3", "x": "4"})
    assert read(handled, ["B00D", "B00A"]) == [[4, 1], [1, 1]]
    assert read(handled, ["ü"], "users") == [[-1, -1]]
    assert read(handled, ["B00D", "gone"], missing="mean") == [[4, 1], [4, 1]]


def test_numbers_although_there_is_a_map(handled: Path) -> None:
    put_map(handled, RAW)
    assert read(handled, ["2", "4"]) == [[2, 1], [4, 1]]


def test_the_nested_map_of_sibling_projects(handled: Path) -> None:
    (handled / "id_map.json").write_text(json.dumps({"item_dict": {"str2id": RAW}}))
    assert read(handled, ["B00B"]) == [[2, 1]]


def test_raw_ids_that_are_numbers_too(handled: Path) -> None:
    put_map(handled, {"9": "1", "7": "2", "2": "3", "1": "4"})
    assert read(handled, ["9", "7", "2", "1"]) == [[1, 1], [2, 1], [3, 1], [4, 1]]
    assert read(handled, ["1", "2", "3", "4"]) == [[1, 1], [2, 1], [3, 1], [4, 1]]
    with pytest.raises(DataError, match="'1' is a raw id of row 4 and the number of another"):
        read(handled, ["1", "2"])
    put_map(handled, {"1": "1", "2": "2", "3": "3", "4": "4"})
    assert read(handled, ["1", "2"]) == [[1, 1], [2, 1]]


def test_maps_that_do_not_fit(handled: Path) -> None:
    gap = {"B00A": "1", "B00C": "3", "B00D": "4", "B00E": "5"}
    for numbers in ({"B00A": "1", "B00B": "2"}, {**RAW, "B00E": "5"}, gap):
        put_map(handled, numbers)
        for ids in (["B00A"], ["1", "2"]):
            with pytest.raises(DataError, match=f"numbers {len(numbers)} items for 4 vectors"):
                read(handled, ids)
    for content in ("", "[]", "{}", '{"item2id": 3}', "[" * 100_000):
        (handled / "id_map.json").write_text(content)
        with pytest.raises(DataError, match=r"id_map\.json: no map from raw ids"):
            read(handled, ["B00A"])


def test_arrays_of_other_shapes(handled: Path) -> None:
    for array in (np.array(1.0), np.ones(4), np.ones((4, 2, 2))):
        (handled / "itm_emb_np.pkl").write_bytes(pickle.dumps(array))
        with pytest.raises(DataError, match="floats expected"):
            read(handled, ["1"])


def test_two_raw_ids_of_one_row_are_refused(handled: Path) -> None:
    """One of them would otherwise be silently missing."""
    put_map(handled, {**RAW, "B00E": "4"})
    with pytest.raises(DataError, match="numbers 5 items for 4 vectors"):
        read(handled / "itm_emb_np.pkl", list(RAW), missing="mean")
