"""Stage `embeddings`: from texts or files, through a kill, and against vectors made elsewhere."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from llm_server.answers import vector_of
from llm_server.launch import Running
from llm_server.tally import Counts
from patience import until
from safetensors.numpy import load_file

from grasp_bench.core.errors import DataError, LeakError, ServiceError
from grasp_bench.core.progress import Event, silent
from grasp_bench.core.store import Artefact
from grasp_bench.data.artefacts import write_split
from grasp_bench.data.splits import Split
from grasp_bench.encoders.sentence_transformers import SentenceTransformersTextEncoder
from grasp_bench.plan.nodes import make_node
from grasp_bench.stages.context import STAGES, RunContext

MINILM = {"kind": "sentence_transformers", "model": "all-MiniLM-L6-v2"}

# Encodes in small shards, slowly enough to be killed between two of them.
SLOW_RUN = """
import sys, time
from functools import partial
from pathlib import Path
from grasp_bench.core.progress import silent
from grasp_bench.core.store import Artefact
from grasp_bench.plan.nodes import make_node
from grasp_bench.stages import embeddings
from grasp_bench.stages.context import RunContext
texts, out = map(Path, sys.argv[1:])
embeddings.encode_in_shards = partial(embeddings.encode_in_shards, shard_texts=4)
encoder = embeddings.ENCODERS.implementation("sentence_transformers")
fast = encoder.encode
encoder.encode = lambda *given: (time.sleep(0.5), fast(*given))[1]
node = make_node("embeddings", {"side": "items", "encoder": {"kind": "sentence_transformers"}}, {}, "e")
embeddings.EmbeddingsStage().run(node, {"text": Artefact(texts, {})}, out, RunContext("cpu", 1, silent))
"""


def texts_artefact(folder: Path, texts: list[str], ids: list[str] | None = None) -> Artefact:
    folder.mkdir()
    ids = ids or [f"i{k}" for k in range(len(texts))]
    pl.DataFrame({"id": ids, "text": texts}).write_parquet(folder / "texts.parquet")
    return Artefact(folder, {})


def split_artefact(folder: Path, users: list[str], items: list[str]) -> Artefact:
    folder.mkdir()
    none = np.empty(0, np.int32)
    data = Split(len(users), len(items), none, np.zeros(len(users) + 1, np.int64), none, none, none, none)
    write_split(folder, data, users, pl.DataFrame({"item_id": items, "title": items}))
    return Artefact(folder, {})


def run(
    inputs: dict[str, Artefact], out: Path, encoder: dict[str, object], side: str = "items", report=silent,
    ledger: Path | None = None,
):  # fmt: skip
    out.mkdir(exist_ok=True)
    node = make_node("embeddings", {"side": side, "encoder": encoder}, {}, f"embeddings {side}")
    facts = STAGES.get("embeddings")().run(node, inputs, out, RunContext("cpu", 1, report, ledger=ledger))
    ids = pl.read_parquet(out / "ids.parquet")["id"].to_list()
    return ids, load_file(out / "embeddings.safetensors")["vectors"], facts


def test_equal_texts_get_equal_vectors_and_are_encoded_once(minilm: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    text = texts_artefact(tmp_path / "text", ["soap", "comb", "soap", "soap"])
    ids, vectors, facts = run({"text": text}, tmp_path / "out", MINILM, report=events.append)
    assert ids == ["i0", "i1", "i2", "i3"]
    assert (vectors[0] == vectors[2]).all()
    assert (vectors[0] == vectors[3]).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (facts["count"], facts["dim"], facts["distinct"]) == (4, 384, 2)
    assert facts["weights_sha256"].startswith("53aa5117")
    assert (events[-1].done, events[-1].total) == (2, 2)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "embeddings.safetensors",
        "ids.parquet",
    ]


def test_a_killed_stage_goes_on_where_it_was(
    minilm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"{'lotion ' * (k % 7)}number {k}" for k in range(40)]
    text = texts_artefact(tmp_path / "text", texts)
    out = tmp_path / "out"
    out.mkdir()

    def shards() -> list[Path]:
        return list(out.glob("shards/*.safetensors"))

    process = subprocess.Popen([sys.executable, "-c", SLOW_RUN, str(text.path), str(out)])
    try:
        until(lambda: len(shards()) >= 3 or process.poll() is not None)
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (out / "embeddings.safetensors").exists()
    kept = [path.name for path in shards()]

    from grasp_bench.stages import embeddings

    encoded: list[str] = []
    encode = SentenceTransformersTextEncoder.encode
    in_shards = embeddings.encode_in_shards
    monkeypatch.setattr(
        SentenceTransformersTextEncoder, "encode",
        lambda self, given, progress: (encoded.extend(given), encode(self, given, progress))[1],
    )  # fmt: skip
    monkeypatch.setattr(embeddings, "encode_in_shards", lambda *given: in_shards(*given, shard_texts=4))
    _, resumed, _ = run({"text": text}, out, MINILM)
    assert len(encoded) <= 40 - 4 * len(kept)
    encoded.clear()
    _, fresh, _ = run({"text": text}, tmp_path / "fresh", MINILM)
    assert len(encoded) == 40
    assert (resumed == fresh).all()


@pytest.mark.parametrize("side", ["items", "users"])
def test_vectors_made_elsewhere_agree_on_beauty(
    minilm: Path, tmp_path: Path, data_root: Path, side: str
) -> None:
    folder = data_root / "amazon-beauty"
    ids = (folder / "embeddings-minilm" / f"{side}.ids.txt").read_text().splitlines()[:25]
    titles = dict(
        pl.read_csv(folder / "items.csv").select("item_id", pl.col("title").fill_null("")).iter_rows()
    )
    if side == "items":
        texts = [f"The beauty item has the following attributes: name is {titles[name]}." for name in ids]
    else:
        table = pl.read_csv(folder / "interactions.csv").filter(pl.col("user_id").is_in(ids))
        visited = {user: rows["item_id"].to_list() for (user,), rows in table.group_by("user_id")}
        texts = [
            "The user has visited the following items: "
            f"{', '.join(titles[k] for k in visited[user][-3::-1])} please conclude the user's preference."
            for user in ids
        ]
    _, vectors, _ = run(
        {"text": texts_artefact(tmp_path / "text", texts, ids)}, tmp_path / "out", MINILM, side
    )
    stored = np.load(folder / "embeddings-minilm" / f"{side}.npy", mmap_mode="r")[:25].astype(np.float32)
    assert (vectors * stored).sum(axis=1).min() > 0.99


def test_precomputed_vectors_follow_the_split(tmp_path: Path) -> None:
    split = split_artefact(tmp_path / "split", ["u"], ["c", "a"])
    path = tmp_path / "v.npy"
    np.save(path, np.array([[3.0, 4.0], [0.0, 2.0], [9.0, 9.0]]))
    path.with_suffix(".ids.txt").write_text("a\nc\nz\n")
    encoder = {"kind": "precomputed", "items": str(path), "normalize": True, "scope": "train"}
    ids, vectors, facts = run({"split": split}, tmp_path / "out", encoder)
    assert ids == ["c", "a"]
    np.testing.assert_allclose(vectors, [[0, 1], [0.6, 0.8]], atol=1e-6)
    assert facts["unknown_ids"] == 1
    assert facts["scope"] == "train (declared, not audited)"
    assert "leak" not in facts
    with pytest.raises(LeakError):
        run({"split": split}, tmp_path / "out", {**encoder, "scope": "all"})
    _, _, marked = run({"split": split}, tmp_path / "out", {**encoder, "scope": "all", "leaks": "mark"})
    assert marked["leak"] == {"scope": "all", "accepted": True}


def test_prefixes_belong_to_sides_and_change_vectors(minilm: Path, tmp_path: Path) -> None:
    text = texts_artefact(tmp_path / "text", ["soap", "comb"])
    whole = texts_artefact(tmp_path / "whole", ["query: soap", "query: comb"])
    prefixed = {**MINILM, "item_prefix": "query: "}
    _, vectors, _ = run({"text": text}, tmp_path / "a", prefixed)
    _, expected, _ = run({"text": whole}, tmp_path / "b", MINILM)
    assert (vectors == expected).all()
    _, plain, _ = run({"text": text}, tmp_path / "c", prefixed, "users")
    assert (plain * vectors).sum(axis=1).max() < 0.99


def test_entities_without_text_get_the_mean_of_the_others(minilm: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    text = texts_artefact(tmp_path / "text", ["soap", "", "comb", " \n"])
    prefixed = {**MINILM, "item_prefix": "passage: "}
    _, vectors, facts = run({"text": text}, tmp_path / "out", prefixed, report=events.append)
    assert (facts["mean_of_others"], facts["distinct"], events[-1].total) == (2, 2, 2)
    mean = vectors[0] + vectors[2]
    np.testing.assert_allclose(vectors[1], mean / np.linalg.norm(mean), atol=1e-6)
    assert (vectors[1] == vectors[3]).all()
    blank = texts_artefact(tmp_path / "blank", ["", ""])
    with pytest.raises(DataError, match="all 2 texts of items are empty"):
        run({"text": blank}, tmp_path / "none", prefixed)


def test_int8_reports_what_it_does_to_neighbours(minilm: Path, tmp_path: Path) -> None:
    text = texts_artefact(tmp_path / "text", [f"lotion number {k}" for k in range(12)])
    _, _, facts = run({"text": text}, tmp_path / "out", {**MINILM, "dtype": "int8"})
    assert (facts["dtype"], facts["int8_layers"]) == ("int8", 37)
    assert facts["neighbour_overlap"]["texts"] == 12
    assert 0.8 < facts["neighbour_overlap"]["share"] <= 1


@pytest.fixture
def bought(llm_server: Callable[..., Running], monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """An encoder section of a server on loopback, which needs a key."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    return {"kind": "litellm", "model": "openai/house-vectors", "api_base": llm_server(bodies=True).address}


def test_vectors_are_bought_once_and_blank_texts_never_sent(
    bought: dict[str, object], tmp_path: Path
) -> None:
    events: list[Event] = []
    text = texts_artefact(tmp_path / "text", ["soap", "", "comb", "soap"])
    encoder, ledger = {**bought, "item_prefix": "query: ", "batch_size": 2}, tmp_path / "ledger.sqlite"
    _, vectors, facts = run({"text": text}, tmp_path / "a", encoder, report=events.append, ledger=ledger)
    expected = np.array([vector_of(f"query: {word}", 8) for word in ("soap", "comb")])
    np.testing.assert_allclose(vectors[[0, 2, 3]], expected[[0, 1, 0]], atol=1e-6)
    mean = 2 * expected[0] + expected[1]  # over entities, as often as they are
    np.testing.assert_allclose(vectors[1], mean / np.linalg.norm(mean), atol=1e-6)
    assert (facts["mean_of_others"], facts["distinct"], facts["spend"]["sent"]) == (1, 2, 2)
    assert (events[-1].done, events[-1].total) == (2, 2)
    _, again, facts = run({"text": text}, tmp_path / "b", encoder, ledger=ledger)
    assert (again == vectors).all()
    assert (facts["spend"]["sent"], facts["spend"]["reused"]) == (0, 2)
    log = Counts(tmp_path / "llm_server.jsonl")
    asked = [json.loads(event["text"])["input"] for event in log.of("received")]
    assert asked == [["query: soap"], ["query: comb"]]


def test_nothing_is_bought_without_a_ledger(bought: dict[str, object], tmp_path: Path) -> None:
    text = texts_artefact(tmp_path / "text", ["soap"])
    with pytest.raises(ServiceError, match="no ledger to keep the vectors of 'openai/house-vectors'"):
        run({"text": text}, tmp_path / "out", bought)


def test_a_published_folder_of_pickles(tmp_path: Path) -> None:
    split = split_artefact(tmp_path / "split", ["u"], ["3", "1"])
    (tmp_path / "itm_emb_np.pkl").write_bytes(pickle.dumps(np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]])))
    encoder = {"kind": "precomputed", "items": str(tmp_path), "normalize": True, "scope": "train"}
    ids, vectors, facts = run({"split": split}, tmp_path / "out", encoder)
    assert ids == ["3", "1"]
    np.testing.assert_allclose(vectors, [[0, 1], [0.6, 0.8]], atol=1e-6)
    assert facts["unknown_ids"] == 1


@pytest.mark.parametrize("bad", [np.nan, 0.0])
def test_unusable_precomputed_vectors_name_the_entity(tmp_path: Path, bad: float) -> None:
    split = split_artefact(tmp_path / "split", ["u", "w"], ["c"])
    path = tmp_path / "v.parquet"
    pl.DataFrame({"id": ["u", "w"], "vector": [[1.0, 0.0], [bad, bad]]}).write_parquet(path)
    encoder = {"kind": "precomputed", "users": str(path), "normalize": True, "scope": "train"}
    with pytest.raises(DataError, match="'w'"):
        run({"split": split}, tmp_path / "out", encoder, "users")
