"""Settings of the dataset `demo`."""

from __future__ import annotations

from grasp_bench.spec.section import DatasetSettings


class DemoSettings(DatasetSettings):
    """A fictional shop of 1,500 users and 600 items, generated in memory."""

    implementation = "grasp_bench.data.demo:Demo"
