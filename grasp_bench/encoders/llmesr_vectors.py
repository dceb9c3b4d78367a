"""Read vectors as LLM-ESR publishes them (`handled/`): a pickled array whose row k belongs to number k + 1.

Numbers are assigned in order of first appearance. `id_map.json` beside the arrays maps raw ids to them
(`user2id`, `item2id`, or `str2id` below `user_dict`, `item_dict` in related projects).

Source: github.com/liuqidong07/LLM-ESR, data/data_process.py and data/*/get_item_embedding.ipynb.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from grasp_bench.core.errors import DataError
from grasp_bench.encoders.pickled import read_pickled_array
from grasp_bench.spec.encoder import ID_MAP

MAPS = {"users": ("user2id", "user_dict"), "items": ("item2id", "item_dict")}


def read_llmesr(path: Path, side: str, wanted: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Return ids and matrix (n, D). The dataset's ids, `wanted`, decide between raw ids and numbers.

    Raises DataError when the map is damaged or does not number these rows, and when an id could be a raw id
    of one row and the number of another.
    """
    matrix = read_pickled_array(path)
    numbers = [str(row + 1) for row in range(len(matrix) if matrix.ndim else 0)]
    beside = path.with_name(ID_MAP)
    if not beside.is_file():
        return numbers, matrix
    number_of = _raw_to_number(beside, side)
    if len(number_of) != len(numbers) or set(number_of.values()) != set(numbers):
        # LLM-ESR removes short users after numbering them, and then renumbers their vectors.
        raise DataError(
            f"{beside}: numbers {len(number_of)} {side} for {len(numbers)} vectors: whose are they?",
            hint="take the map of these vectors, or save them as .parquet with their ids",
        )
    return _names(numbers, number_of, wanted, beside), matrix


def _names(
    numbers: list[str], number_of: Mapping[str, str], wanted: Sequence[str], beside: Path
) -> list[str]:
    """Return the rows' names as raw ids or as numbers, whichever match more of the dataset's ids."""
    known_numbers = set(numbers)
    as_raw = sum(name in number_of for name in wanted)
    as_number = sum(name in known_numbers for name in wanted)
    if as_number > as_raw:
        return numbers
    both = [name for name in wanted if name in known_numbers and number_of.get(name, name) != name]
    if both and as_number == as_raw:
        raise DataError(
            f"{beside}: '{both[0]}' is a raw id of row {number_of[both[0]]} and the number of another",
            hint="remove the map if the dataset has LLM-ESR's numbers; else save the vectors as .parquet "
            "with their ids",
        )
    raw_of = {number: raw for raw, number in number_of.items()}
    return [raw_of[number] for number in numbers]


def _raw_to_number(path: Path, side: str) -> dict[str, str]:
    flat, nested = MAPS[side]
    try:
        document: Any = json.loads(path.read_text("utf-8"))
        found = document[flat] if flat in document else document[nested]["str2id"]
        return {str(raw): str(number) for raw, number in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DataError(
            f"{path}: no map from raw ids to numbers under '{flat}'", hint="take the map of these vectors"
        ) from None
