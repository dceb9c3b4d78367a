"""Settings of the searchers."""

from __future__ import annotations

from grasp_bench.spec.section import SearcherSettings


class ExactSettings(SearcherSettings):
    """All cosines."""

    implementation = "grasp_bench.retrieval.exact:ExactSearcher"
    keys = ("kind", "num_neighbours")


class HnswSettings(SearcherSettings):
    """A navigable graph, by hnswlib."""

    implementation = "grasp_bench.retrieval.hnsw:HnswSearcher"
