"""Backbones and enhancers of other packages: in specs, in hashes, in a real run, and broken in each way."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import torch

from grasp_bench import api
from grasp_bench.components import BACKBONES
from grasp_bench.core.errors import PluginError, SpecError, UnknownNameError
from grasp_bench.core.plugins import source_version
from grasp_bench.models.layout import Layout
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.model import Model
from grasp_bench.spec.plugins import follow_registries
from grasp_bench.spec.shape import all_keys

HELPER = "SCALE = 1.0\n"
PLUGIN = """
    from typing import Any

    import torch
    from pydantic import Field
    from torch import nn

    from grasp_bench.models.backbones.base import Backbone
    from grasp_bench.spec.section import BackboneSettings

    from .helper import SCALE


    class LastItem(Backbone):
        \"\"\"The last item alone, through a linear layer.\"\"\"

        class Settings(BackboneSettings):
            \"\"\"The last item alone.\"\"\"

            tilt: bool = Field(True, description="Add a bias.")

        def __init__(self, width: int, tilt: bool) -> None:
            super().__init__()
            self.map = nn.Linear(width, width, tilt)

        @classmethod
        def from_settings(cls, settings: Any) -> "LastItem":
            return cls(settings["embedding_dim"], settings["tilt"])

        def forward(self, x_TD, layout):
            return SCALE * self.map(x_TD)


    class Plain(LastItem):
        Settings = None  # replaced by the settings of its kind

        @classmethod
        def from_settings(cls, settings):
            return cls(settings["embedding_dim"], True)


    class TooNarrow(LastItem):
        def forward(self, x_TD, layout):
            return x_TD[:, :3]


    class NotFinite(LastItem):
        def forward(self, x_TD, layout):
            return x_TD / 0


    class Mixes(LastItem):
        def forward(self, x_TD, layout):
            return x_TD - x_TD.mean(0)


    class Fails(LastItem):
        def forward(self, x_TD, layout):
            raise RuntimeError("no such kernel")


    class OtherSettings(Backbone):
        Settings = dict


    NOT_A_CLASS = 3
"""
SPEC = """
name: own
dataset: {{source: demo, sample_users: 100}}
model: {{backbone: sasrec, embedding_dim: 8, max_len: 10{keys}}}
training: {{max_epochs: 1}}
seeds: [1]
controls: []
compare: {{model.backbone: [sasrec, "{name}"]}}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """A package of a name of its own, importable from the working directory alone."""
    name = f"shop_{abs(hash(request.node.name)) % 10**8}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "helper.py").write_text(HELPER)
    (folder / "models.py").write_text(dedent(PLUGIN))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(BACKBONES)
    yield f"{name}.models"
    for plugin in set(BACKBONES) - before:
        BACKBONES.unplug(plugin)
    follow_registries()


def written(name: str, keys: str = "") -> Path:
    path = Path("own.yaml")
    path.write_text(SPEC.format(name=name, keys=keys))
    return path


def refusal(name: str, keys: str = "") -> str:
    with pytest.raises(SpecError) as caught:
        api.load(written(name, keys))
    (problem,) = caught.value.problems
    return problem


def test_a_plugin_is_trained_with_its_own_keys_in_a_worker(package: str) -> None:
    loaded = api.load(written(f"{package}:LastItem", ", tilt: false"))
    whole = api.plan(loaded)
    ran = api.run(loaded, whole, workers=1)
    assert not ran.outcome.failed
    assert [cell.slug for cell in whole.cells][1] == f"{package}_LastItem-none-s1".replace(":", "_")
    model = whole.cells[1].experiment.model.effective()
    assert (model["backbone"], model["tilt"]) == (f"{package}:LastItem", False)
    assert "tilt" not in whole.cells[0].experiment.model.effective()


def test_its_keys_are_checked_as_ours_are(package: str) -> None:
    assert "model.tilt" not in all_keys()  # that of an earlier test is forgotten
    assert "did you mean 'tilt'?" in refusal(f"{package}:LastItem", ", tild: true")
    assert "model.tilt" in refusal(f"{package}:LastItem", ", tilt: 7")
    path = Path("plain.yaml")
    path.write_text("name: plain\ndataset: {source: demo}\nmodel: {embedding_dim: 8}\n")
    chosen = [f"model.backbone={package}:LastItem", "model.tilt=false"]
    assert api.load(path, chosen).experiment.model.effective()["tilt"] is False


def test_an_edit_of_its_source_or_of_what_it_imports_makes_another_node(package: str) -> None:
    def hashes() -> list[str]:
        plan = api.plan(api.load(written(f"{package}:LastItem")))
        return [cell.nodes["train"].hash for cell in plan.cells]

    first = hashes()
    folder = Path(package.partition(".")[0])
    (folder / "unrelated.py").write_text("A = 1\n")
    assert hashes() == first
    (folder / "helper.py").write_text("SCALE = 2.0\n")
    second = hashes()
    assert second[0] == first[0]  # sasrec
    assert second[1] != first[1]
    source = (folder / "models.py").read_text()
    (folder / "models.py").write_text(source.replace("SCALE * self", "2 * SCALE * self"))
    assert hashes()[1] not in (first[1], second[1])
    assert source_version(f"{package}:LastItem") == BACKBONES.version(f"{package}:LastItem")
    (folder / "__init__.py").unlink()  # a package need not have one
    before = source_version(f"{package}:LastItem")
    (folder / "helper.py").write_text("SCALE = 3.0\n")
    assert source_version(f"{package}:LastItem") != before


def test_a_declared_version_takes_the_place_of_the_source(package: str) -> None:
    name = f"{package}:LastItem"
    api.load(written(name))
    BACKBONES.get(name).version = "3"  # type: ignore[attr-defined]
    assert BACKBONES.version(name) == "3"
    assert BACKBONES.version("sasrec") is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.models:LastItem", "no module 'nowhere'; install its package"),
        ("{}:LastItm", "models.py has no 'LastItm'; did you mean 'LastItem'?"),
        ("{}:NOT_A_CLASS", "is no class"),
        (
            "{}:OtherSettings",
            "its Settings are no BackboneSettings; derive them from grasp_bench.spec.",
        ),
    ],
)
def test_a_plugin_that_cannot_be_used_is_named_at_its_place(package: str, name: str, message: str) -> None:
    problem = refusal(name.format(package))
    assert problem.startswith("own.yaml:8:36 compare.model.backbone[1]: backbone ")
    assert message in problem


def test_a_module_that_fails_is_named_with_its_line(package: str) -> None:
    path = Path(package.replace(".", "/") + ".py")
    path.write_text("x = 1\ny = x / 0\n")
    assert f"{path.name}:2: ZeroDivisionError: division by zero" in refusal(f"{package}:LastItem")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("TooNarrow", r"forward returned \(8, 3\) for items of \(8, 6\)"),
        ("NotFinite", "forward returned NaN or infinity"),
        ("Mixes", "states of a sequence change with the other sequences of the batch"),
        ("Fails", r"models\.py:\d+: RuntimeError: no such kernel"),
    ],
)
def test_a_broken_contract_is_named_before_training(package: str, name: str, message: str) -> None:
    api.load(written(f"{package}:{name}"))
    settings = Model(backbone=f"{package}:{name}", embedding_dim=6).effective()
    with pytest.raises(PluginError, match=message):
        Recommender.from_settings(settings, 3, 5, None)


def test_an_entry_point_has_a_name_and_never_replaces_ours(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grasp_bench.core.registry import Components

    info = Path("shop-1.0.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[grasp_bench.backbones]\nlast_item = {package}:LastItem\nsasrec = {package}:LastItem\n"
        "broken = nowhere:Nothing\n"
    )
    monkeypatch.syspath_prepend(str(Path.cwd()))
    ours = "grasp_bench.models.backbones.sasrec_settings:SASRecSettings"
    target = "grasp_bench.spec.section:BackboneSettings"
    registry = Components("backbone", {"sasrec": ours}, target, "grasp_bench.backbones")
    assert registry.offered() == {"last_item": f"{package}:LastItem", "broken": "nowhere:Nothing"}
    assert list(registry) == ["sasrec"]  # what no spec names is not imported
    assert registry.get("sasrec").__name__ == "SASRecSettings"
    assert registry.get("last_item").own_keys() == ("tilt",)
    assert registry.implementation("last_item").__name__ == "LastItem"
    assert registry.version("last_item") == source_version(f"{package}:LastItem")
    with pytest.raises(UnknownNameError, match="no module 'nowhere'"):
        registry.get("broken")


def test_an_edit_in_one_process_is_trained_and_checked_as_it_is_now(package: str) -> None:
    """As in a notebook: the class and its keys are those of the edited file, not of the first import."""
    name = f"{package}:LastItem"
    first = api.load(written(name))
    api.run(first, api.plan(first), only="*LastItem*", executor="in_process")
    path = Path(package.replace(".", "/") + ".py")
    source = path.read_text().replace("tilt", "slope").replace("SCALE * self", "0.0 * SCALE * self")
    path.write_text(source)
    loaded = api.load(written(name, ", slope: false"))
    whole = api.plan(loaded)
    api.run(loaded, whole, only="*LastItem*", executor="in_process")
    assert "tilt" in refusal(name, ", tilt: true")
    settings = whole.cells[1].experiment.model.effective()
    model = Recommender.from_settings(settings, 3, 5, None)
    assert not model.backbone(torch.ones(2, 8), Layout(torch.tensor([2]))).any()


def test_two_classes_that_inherit_their_settings_stay_two(package: str) -> None:
    names = [f"{package}:LastItem", f"{package}:Mixes"]
    path = Path("two.yaml")
    path.write_text(SPEC.format(name=names[0], keys="").replace("[sasrec,", f'["{names[1]}",'))
    api.load(path)
    assert [BACKBONES.implementation(name).__name__ for name in names] == ["LastItem", "Mixes"]
    assert [BACKBONES.get(name).own_keys() for name in names] == [("tilt",)] * 2
    assert BACKBONES.get(names[0]) is BACKBONES.get(names[0])
