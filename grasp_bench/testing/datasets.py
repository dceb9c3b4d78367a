"""The contract of datasets that code makes."""

from __future__ import annotations

from typing import Any

from polars.testing import assert_frame_equal

from grasp_bench.components import DATASETS
from grasp_bench.data.made import made_tables
from grasp_bench.data.prepare import prepare
from grasp_bench.data.splitting import split_by_protocol
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.plugins import use_latest_plugin


def check_dataset(name: str, **keys: Any) -> None:
    """Check a dataset, by its name or "module:Class", with `keys` of `dataset:`.

    Made twice, its tables are the same, and a run can read and split them: DataError says why not.

    Example:
        >>> check_dataset("my_data:Logs", year=2024)
    """
    use_latest_plugin(DATASETS, name)
    dataset = Dataset.model_validate({"source": name, **keys})
    settings = dataset.made()
    assert settings is not None
    first, second = made_tables(name, settings), made_tables(name, settings)
    assert first.keys() == second.keys(), f"dataset '{name}': other tables when made twice"
    for kind, table in first.items():
        assert_frame_equal(table.frame, second[kind].frame)
    split = split_by_protocol(prepare(dataset), dataset.protocol).split
    assert len(split.test_users), f"dataset '{name}': no user is evaluated"
