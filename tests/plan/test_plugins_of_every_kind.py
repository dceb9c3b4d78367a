"""Encoders, text providers, datasets, losses, metrics and controls of another package, in one real run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import numpy as np
import polars as pl
import pytest

import grasp_bench as gb
from grasp_bench import api
from grasp_bench.components import REGISTRIES, described
from grasp_bench.core.errors import GraspBenchError, SpecError
from grasp_bench.spec.plugins import follow_registries
from grasp_bench.spec.shape import all_keys
from grasp_bench.testing import (
    check_control,
    check_dataset,
    check_encoder,
    check_loss,
    check_metric,
    check_text_provider,
)

PLUGIN = '''
    import zlib

    import numpy as np
    import polars as pl
    import torch
    import torch.nn.functional as F
    from pydantic import Field, model_validator

    from grasp_bench.controls.base import Control
    from grasp_bench.data.made import MadeDataset
    from grasp_bench.encoders.batching import TextEncoder
    from grasp_bench.spec.encoder import EncoderSettings
    from grasp_bench.spec.section import DatasetSettings, LossSettings
    from grasp_bench.spec.text import TextSettings
    from grasp_bench.text.providers import TextStream


    class Shop(MadeDataset):
        """Users who walk through a ring of items."""

        class Settings(DatasetSettings):
            """Users who walk through a ring of items."""

            shoppers: int = Field(40, ge=4, description="Users.")
            stride: int = Field(1, ge=1, description="Items between two purchases.")

            @model_validator(mode="after")
            def _short_strides(self):
                if self.stride >= self.shoppers:
                    raise ValueError("stride must be less than shoppers")
                return self

        def interactions(self):
            steps = [(u, (u + self.settings.stride * s) % 30, s)
                     for u in range(self.settings.shoppers) for s in range(6)]
            return pl.DataFrame([(f"u{u}", f"i{i}", s) for u, i, s in steps],
                                schema=["user_id", "item_id", "timestamp"], orient="row")

        def items(self):
            return pl.DataFrame({"item_id": [f"i{i}" for i in range(30)],
                                 "title": [f"thing {i}" for i in range(30)]})


    class Letters(TextEncoder):
        """Counts letters."""

        class Settings(EncoderSettings):
            """Counts letters."""

            buckets: int = Field(16, ge=2, description="Dimensions.")

        unit_norm = True

        def __init__(self, section, device="cpu", threads=1):
            self.dim = section.buckets

        def encode(self, texts, progress=lambda done: None):
            found = np.full((len(texts), self.dim), 0.1, dtype=np.float32)
            for row, text in enumerate(texts):
                for letter in text:
                    found[row, zlib.crc32(letter.encode()) % self.dim] += 1
            progress(len(texts))
            return found / np.linalg.norm(found, axis=1, keepdims=True)


    class Number:
        """Says how many items a user has, or an item's title."""

        class Settings(TextSettings):
            """Says little."""

            word: str = Field("has", description="A verb.")

        def __init__(self, source):
            self.source = source

        def write(self, entities, account):
            if entities.side == "items":
                return TextStream(title or "?" for title in entities.items["title"])
            lengths = np.diff(entities.history_offsets)
            return TextStream(f"{self.source.word} {length}" for length in lengths)


    class Margin:
        """Hinge between the target and each negative."""

        class Settings(LossSettings):
            """Hinge between the target and each negative."""

            keys = ("negatives", "sampling")
            negatives = 8
            margin: float = Field(1.0, gt=0, description="Wanted difference.")

        @classmethod
        def from_settings(cls, settings, num_items):
            made = cls()
            made.margin = settings["margin"]
            return made

        def __call__(self, predictions):
            gap = predictions.positives()[:, None] - predictions.negatives().scores_SN
            return F.softplus(self.margin - gap).mean()


    class RBP:
        """Rank-biased precision with p = 0.8 (Moffat and Zobel, TOIS 2008)."""

        @staticmethod
        def gains(k):
            return 0.2 * 0.8 ** np.arange(k)


    class Newest(Control):
        """Scores an item by its number."""

        @classmethod
        def fit(cls, train, items_mD):
            return cls(train.num_items)

        def score_candidates(self, states_B, history, candidates, catalogue=None):
            return candidates.items_SK.double()

        def score_catalogue(self, states_B, history, catalogue=None):
            return torch.arange(self.num_items).double().repeat(len(states_B), 1)
'''
BROKEN = """
    import numpy as np
    import torch
    from grasp_bench.controls.base import Control
    from grasp_bench.data.made import MadeDataset
    from grasp_bench.encoders.batching import TextEncoder
    from grasp_bench.models.enhancers.base import NoEnhancer
    from grasp_bench.text.providers import TextStream


    class ListOfRows(MadeDataset):
        def interactions(self):
            return [("u", "i")]


    class WithoutADisk(MadeDataset):
        def interactions(self):
            return open("/nowhere/at/all")


    class Flat(TextEncoder):
        dim = 4

        def encode(self, texts, progress=lambda done: None):
            return np.zeros(4, dtype=np.float32)


    class Centred(TextEncoder):
        dim = 1

        def encode(self, texts, progress=lambda done: None):
            lengths = np.array([[len(text)] for text in texts], dtype=np.float32)
            return lengths - lengths.mean() if len(texts) else lengths.reshape(0, 1)


    class NoText:
        def __init__(self, source): ...

        def write(self, entities, account):
            return TextStream(None for _ in entities.ids)


    class Rising:
        @staticmethod
        def gains(k):
            return np.linspace(0, 1, k)


    class Vector:
        @classmethod
        def from_settings(cls, settings, num_items):
            return cls()

        def __call__(self, predictions):
            return predictions.positives()


    class Narrow(NoEnhancer):
        def embed(self, history, candidates, catalogue=None):
            return self.table(history.items_T)[:, :3], self.table(candidates.items_SK)


    class NotANumber(Control):
        @classmethod
        def fit(cls, train, items_mD):
            return cls(train.num_items)

        def score_candidates(self, states_B, history, candidates, catalogue=None):
            return torch.full(candidates.items_SK.shape, torch.nan)

        def score_catalogue(self, states_B, history, catalogue=None):
            return torch.full((len(states_B), self.num_items), torch.nan)
"""
SPEC = """
name: foreign
dataset:
  source: "{m}:Shop"
  stride: 2
  protocol: {{negatives: 5, cutoffs: [1, 5, 10], metrics: ["{m}:RBP"]}}
text: {{users: {{provider: "{m}:Number", word: owns}}, items: {{provider: "{m}:Number"}}}}
encoder: {{kind: "{m}:Letters", buckets: 8}}
index: {{kind: exact, num_neighbours: 3}}
model: {{backbone: gru4rec, enhancer: grasp, embedding_dim: 8, max_len: 8}}
training: {{max_epochs: 2, loss: {{kind: "{m}:Margin", margin: 0.5}}}}
seeds: [1, 2]
controls: [popularity, "{m}:Newest"]
compare: {{model.enhancer: [none, grasp]}}
hypotheses: [{{better: grasp, than: none, metric: RBP@10}}]
"""
PLAIN = (
    "name: plain\ndataset: {source: demo, sample_users: 30}\nmodel: {embedding_dim: 8}\nseeds: [1]\n"
    "training: {max_epochs: 1}\n"
)


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """A module of a name of its own, importable from the working directory alone."""
    name = f"foreign_{abs(hash(request.node.name)) % 10**8}"
    (tmp_path / f"{name}.py").write_text(dedent(PLUGIN))
    (tmp_path / f"broken_{name}.py").write_text(dedent(BROKEN))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = [set(registry) for registry in REGISTRIES]
    yield name
    for registry, names in zip(REGISTRIES, before, strict=True):
        for plugin in set(registry) - names:
            registry.unplug(plugin)
    follow_registries()


def loaded(foreign: str, *overrides: str) -> api.LoadedSpec:
    path = Path("foreign.yaml")
    path.write_text(SPEC.format(m=foreign))
    return api.load(path, overrides)


def figure(folder: Path) -> float:
    return json.loads((folder / "metrics.json").read_text())["full"]["overall"]["RBP@10"]


def test_a_study_in_which_everything_is_somebody_elses(foreign: str) -> None:
    spec = loaded(foreign)
    ran = api.run(spec, api.plan(spec), workers=1)
    assert not ran.outcome.failed
    folder = ran.results / "gru4rec-grasp-s1"
    ranks = pl.read_parquet(folder / "ranks.parquet")
    gains = [0.2 * 0.8**rank for rank in range(10)] + [0.0] * 100
    pairs = ranks.select("full_better", "full_tied").rows()
    expected = np.mean([np.mean(gains[better : better + tied + 1]) for better, tied in pairs])
    assert figure(folder) == pytest.approx(expected)
    # What others see needs no plugin: the gains are in the results.
    board = gb.board("foreign", metric="RBP@10")
    assert f"{foreign}:Newest" in board["method"]
    (found,) = gb.compare("grasp", "none", "foreign", metric="RBP@10").filter(
        metric="RBP@10", group="overall", protocol="full"
    )["difference"]
    grasp, none = (
        np.mean([figure(ran.results / f"gru4rec-{name}-s{seed}") for seed in (1, 2)])
        for name in ("grasp", "none")
    )
    assert found == pytest.approx(grasp - none)


def test_the_contracts_hold_for_them(foreign: str) -> None:
    check_dataset(f"{foreign}:Shop", stride=3)
    check_encoder(f"{foreign}:Letters", buckets=5)
    check_text_provider(f"{foreign}:Number", word="buys")
    check_loss(f"{foreign}:Margin", margin=2.0, negatives=4)
    check_metric(f"{foreign}:RBP")
    check_control(f"{foreign}:Newest")


def test_their_keys_are_checked_as_ours_are_and_forgotten_afterwards(foreign: str) -> None:
    assert not {"dataset.stride", "encoder.buckets", "training.loss.margin"} & set(all_keys())
    for override, said in [
        ("dataset.strid=2", "did you mean 'dataset.stride'?"),
        ("dataset.stride=none", "dataset.stride"),
        ("dataset.stride=60", "stride must be less than shoppers"),
        ("encoder.bucket=3", "did you mean 'encoder.buckets'?"),
        ("text.users.wort=is", "did you mean 'text.users.word'?"),
        ("training.loss.margn=2", "did you mean 'training.loss.margin'?"),
        ("training.loss.margin=-1", "training.loss.margin"),
        ("hypotheses=[{better: grasp, than: none, metric: RPB@10}]", "did you mean 'RBP'?"),
        ("dataset.protocol.metrics=[NDCG]", "there is a metric 'NDCG' already"),
        ("dataset.protocol.metrics=[recall]", "unknown metric 'recall'"),
        (f"controls=[popularity, '{foreign}:Newset']", "has no 'Newset'; did you mean 'Newest'?"),
    ]:
        with pytest.raises(SpecError) as caught:
            loaded(foreign, override)
        assert said in str(caught.value), override


def test_each_key_and_the_source_are_part_of_what_they_change_alone(foreign: str) -> None:
    def hashes(*overrides: str) -> dict[str, str]:
        spec = loaded(foreign, *overrides)
        (cell,) = (c for c in api.plan(spec).cells if c.slug == "gru4rec-grasp-s1")
        return {role: node.hash for role, node in cell.nodes.items()}

    first = hashes()
    assert hashes() == first
    for override, changed, kept in [
        ("dataset.stride=3", "split", None),
        ("text.users.word=is", "user_text", "item_embeddings"),
        ("encoder.buckets=9", "item_embeddings", "item_text"),
        ("training.loss.margin=0.7", "train", "item_neighbours"),
        ("dataset.protocol.metrics=[]", "metrics", "rank"),
    ]:
        found = hashes(override, *(["hypotheses=[]"] if "metrics" in override else []))
        assert found[changed] != first[changed], override
        assert kept is None or found[kept] == first[kept], override
    path = Path(f"{foreign}.py")
    path.write_text(path.read_text().replace("0.2 * 0.8", "0.1 * 0.9"))
    edited = hashes()
    assert all(edited[role] != first[role] for role in ("split", "item_text", "item_embeddings", "train"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset.source={}:ListOfRows"], "interactions returned list; return a polars DataFrame"),
        (["dataset.source={}:WithoutADisk"], "FileNotFoundError"),
        (["encoder.kind={}:Flat"], "encode returned float32 of shape (4,) for 3 texts"),
        (["encoder.kind={}:Centred"], "the vector of a text changes with the other texts"),
        (["text.items.provider={}:NoText"], "a text is of type NoneType"),
        (["dataset.protocol.metrics=['{}:Rising']"], "gains(3) has a gain that rises with the rank"),
        (["training.loss={}:Vector"], "returned a tensor of shape"),
        (
            ["compare={{model.enhancer: ['{}:Narrow']}}"],
            "embed gives a history (4, 3); return a tensor of shape (4, 8)",
        ),
        (["controls=['{}:NotANumber']"], "the model scores NaN for user number"),
    ],
)
def test_each_broken_plugin_is_named(foreign: str, overrides: list[str], message: str) -> None:
    path = Path("plain.yaml")
    path.write_text(PLAIN + "compare: {model.enhancer: [llminit]}\ncontrols: []\n")
    asked = [each.format(f"broken_{foreign}") for each in overrides]
    try:
        spec = api.load(path, [*asked, "dataset.protocol.cutoffs=[3, 10]"])
        failed = api.run(spec, api.plan(spec), executor="in_process").outcome.failed
        said = " ".join(f"{each.message}; {each.hint}" for each in failed.values())
    except GraspBenchError as error:
        said = f"{error.message}; {error.hint}"
    assert f"broken_{foreign}" in said
    assert message in said


def test_they_are_listed_with_their_keys(foreign: str) -> None:
    loaded(foreign)
    rows = {(row["kind"], row["name"]): row for row in described()}
    assert rows["dataset", f"{foreign}:Shop"]["keys"] == ["shoppers", "stride"]
    assert rows["encoder", f"{foreign}:Letters"]["keys"] == ["reduce", "buckets"]
    assert rows["loss", f"{foreign}:Margin"]["keys"] == ["negatives", "sampling", "margin"]
    assert rows["metric", f"{foreign}:RBP"]["summary"].startswith("Rank-biased precision")
