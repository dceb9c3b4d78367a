"""Datasets that code makes: the base class, and their tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from grasp_bench.components import DATASETS
from grasp_bench.core.errors import PluginError
from grasp_bench.data.readers import ROW, Table
from grasp_bench.spec.section import DatasetSettings


class MadeDataset:
    """Makes the tables of a dataset; a plugin derives from it and has at least `interactions`.

    Twice made, the tables must be the same. What they are made from enters the hash by the settings, and by
    the source of the class or its `version`, alone.

    Attributes:
        settings: the keys of `dataset:` that the class declares.
    """

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def interactions(self) -> pl.DataFrame:
        """Return user_id, item_id, timestamp or position, and rating if there is one."""
        raise NotImplementedError(f"{type(self).__name__} makes no interactions")

    def items(self) -> pl.DataFrame | None:
        """Return item_id, title and whatever else is known; None where texts are not wanted."""
        return None

    def users(self) -> pl.DataFrame | None:
        """Return user_id and attributes; None where nothing is known of users."""
        return None


def made_tables(source: str, settings: DatasetSettings) -> dict[str, Table]:
    """Make the tables of a dataset, by their kinds; PluginError names what is no table."""
    with DATASETS.blamed(source):
        made = DATASETS.implementation(source)(settings)
        frames = {kind: getattr(made, kind)() for kind in ("interactions", "items", "users")}
    tables = {}
    for kind, frame in frames.items():
        if frame is None and kind != "interactions":
            continue
        if not isinstance(frame, pl.DataFrame):
            raise PluginError(
                f"dataset '{source}': {kind} returned {type(frame).__name__}",
                hint="return a polars DataFrame (pl.from_pandas makes one of a pandas frame)",
            )
        if frame.is_empty():
            raise PluginError(f"dataset '{source}': {kind} returned no rows", hint="correct it there")
        tables[kind] = Table(Path(f"{source} {kind}"), frame.with_row_index(ROW))
    return tables
