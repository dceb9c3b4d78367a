"""Read a JSON file that is one document: an array of objects, or an object of each user's items."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.tables.json_lines import read_json_lines
from grasp_bench.core.tables.layout import ITEM, POSITION, USER
from grasp_bench.core.tables.text_files import BOM, LONGEST, Recoded, contents, opened

SCALARS = (str, int)  # and no bool


def read_json(path: Path) -> tuple[pl.DataFrame, str | None]:
    """Read all rows, and say in words what the document is; None for JSON Lines.

    An object {user: [items]} gives the rows user_id, item_id, position in its order. Raises DataError as
    `read_json_lines` does, and for a user that is listed twice.
    """
    kind = _kind(path)
    if kind == "lines":
        return read_json_lines(path), None
    data = contents(path).removeprefix(BOM)
    if kind == "array":
        return _array(path, data), "a JSON array of objects"
    histories = _histories(path, data)
    if histories is None:
        return read_json_lines(path), None
    frame = pl.DataFrame(
        {USER: list(histories), ITEM: [list(map(str, items)) for items in histories.values()]},
        schema={USER: pl.String, ITEM: pl.List(pl.String)},
    ).explode(ITEM)
    frame = frame.filter(pl.col(ITEM).is_not_null())
    return frame.with_columns(
        pl.int_range(pl.len()).alias(POSITION)
    ), "a JSON object of each user's items, in order"


def _kind(path: Path) -> Literal["lines", "array", "object"]:
    """Tell by the first two lines that are not blank, so that a large file is read once."""
    with opened(path) as stream:
        lines = (line.removeprefix(BOM).strip() for line in iter(lambda: stream.readline(LONGEST), b""))
        first, second = (next((line for line in lines if line), b"") for _ in range(2))
    if first[:1] == b"[":
        return "array"
    try:
        whole = isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        whole = False
    return "lines" if first[:1] != b"{" or (whole and second) else "object"


def _array(path: Path, data: bytes) -> pl.DataFrame:
    try:
        elements = json.loads(data)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise DataError(
            f"{path}:{line}: not JSON ({error})", hint="write it again, or one object a line"
        ) from None
    lines = b"\n".join(
        json.dumps(element, ensure_ascii=False).encode(errors="surrogatepass") for element in elements
    )
    return read_json_lines(Recoded(Path(f"{path} (an element a line)"), lines))


def _histories(path: Path, data: bytes) -> dict[str, list[Any]] | None:
    """Return the items of each user; None if the document is not such an object."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
            raise DataError(f"{path}: '{twice}' is listed twice", hint="join the two lists, in their order")
        return found

    try:
        found = json.loads(data, object_pairs_hook=once)
    except (ValueError, RecursionError):
        return None
    lists = all(
        isinstance(items, list)
        and all(isinstance(item, SCALARS) and not isinstance(item, bool) for item in items)
        for items in found.values()
    )
    return found if found and lists and USER not in found and ITEM not in found else None
