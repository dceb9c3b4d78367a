"""Stage `noise`: the files of embeddings, ids where they were, vectors with others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file, save_file

from grasp_bench.core.progress import silent
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import write_split
from grasp_bench.data.splits import Split
from grasp_bench.plan.nodes import make_node
from grasp_bench.stages.context import STAGES, RunContext


def test_ids_stay_and_vectors_move(tmp_path: Path) -> None:
    clean, out = tmp_path / "clean", tmp_path / "out"
    clean.mkdir()
    out.mkdir()
    vectors = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    save_file({"vectors": vectors}, clean / "embeddings.safetensors")
    pl.DataFrame({"id": [f"ü{k}" for k in range(9)]}).write_parquet(clean / "ids.parquet")
    node = make_node(
        "noise", {"side": "items", "kind": "permute", "rate": 1.0, "seed": 42}, {}, "noise items"
    )
    facts = STAGES.get("noise")().run(
        node, {"embeddings": Artefact(clean, {})}, out, RunContext("cpu", 1, silent)
    )
    assert facts == {"side": "items", "count": 9, "dim": 4, "disturbed": 9}
    assert pl.read_parquet(out / "ids.parquet")["id"].to_list() == [f"ü{k}" for k in range(9)]
    moved = load_file(out / "embeddings.safetensors")["vectors"]
    assert sorted(moved.tolist()) == sorted(vectors.tolist())
    assert not any(np.array_equal(moved[k], vectors[k]) for k in range(9))


def _texts(folder: Path, texts: list[str]) -> Artefact:
    folder.mkdir()
    ids = [f"i{k}" for k in range(len(texts))]
    pl.DataFrame({"id": ids, "text": texts}).write_parquet(folder / "texts.parquet")
    return Artefact(folder, {})


def test_wrong_texts_are_those_whose_vectors_would_be_wrong(tmp_path: Path) -> None:
    """One vector a text: to permute texts and encode them is to permute vectors of the same seed."""
    rng = np.random.default_rng(1)
    of = {f"text {k}": rng.normal(size=4).astype(np.float32) for k in range(11)}
    clean, out, vectors, moved = (tmp_path / name for name in ("clean", "out", "vectors", "moved"))
    for folder in (out, vectors, moved):
        folder.mkdir()
    settings = {"side": "users", "rate": 0.4, "seed": 3}
    facts = STAGES.get("text_noise")().run(
        make_node("text_noise", settings, {}, "t"), {"text": _texts(clean, list(of))}, out,
        RunContext("cpu", 1, silent),
    )  # fmt: skip
    assert facts == {"side": "users", "count": 11, "disturbed": 4}
    table = pl.read_parquet(out / "texts.parquet")
    assert table["id"].to_list() == [f"i{k}" for k in range(11)]
    save_file({"vectors": np.stack(list(of.values()))}, vectors / "embeddings.safetensors")
    table.select("id").write_parquet(vectors / "ids.parquet")
    STAGES.get("noise")().run(
        make_node("noise", {**settings, "kind": "permute"}, {}, "n"), {"embeddings": Artefact(vectors, {})},
        moved, RunContext("cpu", 1, silent),
    )  # fmt: skip
    encoded = np.stack([of[text] for text in table["text"]])
    assert np.array_equal(load_file(moved / "embeddings.safetensors")["vectors"], encoded)
    assert (table["text"] != pl.Series(list(of))).sum() == 4


@pytest.mark.parametrize("side", ["users", "items"])
def test_flips_read_categories_from_the_split_without_its_held_out_part(tmp_path: Path, side: str) -> None:
    split, clean, out = tmp_path / "split", tmp_path / "clean", tmp_path / "out"
    for folder in (split, clean, out):
        folder.mkdir()
    nobody = np.empty(0, dtype=np.int32)
    items, offsets = np.array([0, 1, 2, 3, 0, 3], dtype=np.int32), np.array([0, 2, 4, 6])
    known = pl.DataFrame({"item_id": list("abcd"), "title": list("abcd"), "category": ["x", "x", "y", None]})
    write_split(split, Split(3, 4, items, offsets, nobody, nobody, nobody, nobody), list("uvw"), known)
    (split / "test.parquet").write_bytes(b"locked")
    codes = [0, 0, 1, -1] if side == "items" else [0, 1, 0]
    count = len(codes)
    vectors = np.random.default_rng(2).normal(size=(count, 5)).astype(np.float32)
    save_file({"vectors": vectors}, clean / "embeddings.safetensors")
    pl.DataFrame({"id": [str(k) for k in range(count)]}).write_parquet(clean / "ids.parquet")
    settings = {"side": side, "kind": "category_flip", "rate": 1.0, "seed": 3}
    inputs = {"embeddings": Artefact(clean, {}), "split": Artefact(split, {})}
    STAGES.get("noise")().run(
        make_node("noise", settings, {}, "n"), inputs, out, RunContext("cpu", 1, silent)
    )
    found = load_file(out / "embeddings.safetensors")["vectors"]
    for row in range(count):
        owner = next(k for k in range(count) if np.array_equal(found[row], vectors[k]))
        assert codes[owner] not in (codes[row], -1)
