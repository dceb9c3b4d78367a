"""`grasp-bench new`: a small package with a backbone, to install, test and change."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from grasp_bench.cli.output import say
from grasp_bench.core.errors import GraspBenchError

FILES = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
dependencies = ["grasp-bench"]

[project.entry-points."grasp_bench.backbones"]
{name} = "{name}:{Class}"
""",
    "{name}/__init__.py": """\
\"\"\"{Class}: replace this line by what it does, and the source.\"\"\"

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from torch import Tensor, nn

from grasp_bench.models.backbones.base import Backbone
from grasp_bench.models.layout import Layout
from grasp_bench.spec.section import BackboneSettings


class {Class}(Backbone):
    \"\"\"The last item alone, through a linear layer: replace it.\"\"\"

    reads_order = False  # of the items before the last; remove the line where they count

    class Settings(BackboneSettings):
        \"\"\"The last item alone, through a linear layer.\"\"\"

        {name}_bias: bool = Field(True, description="Add a bias.")

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.map = nn.Linear(width, width, bias)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> {Class}:
        \"\"\"Build from the keys of `model:` in a spec.\"\"\"
        return cls(settings["embedding_dim"], settings["{name}_bias"])

    def forward(self, x_TD: Tensor, layout: Layout) -> Tensor:
        \"\"\"Turn item vectors (T, d) of the sequences in `layout` into states (T, d).\"\"\"
        return self.map(x_TD)
""",
    "tests/test_{name}.py": """\
from grasp_bench.testing import check_backbone


def test_contract():
    check_backbone("{name}:{Class}")
    check_backbone("{name}:{Class}", {name}_bias=False)
""",
    "demo.yaml": """\
# {Class} beside SASRec on the generated catalogue: grasp-bench run demo.yaml
name: {name}_demo
dataset: {{source: demo}}
encoder: {{kind: sentence_transformers, model: all-MiniLM-L6-v2}}
model: {{backbone: sasrec, embedding_dim: 32, max_len: 20, dropout: 0.2}}
training: {{lr: 2e-3, max_epochs: 10, loss: {{kind: sampled_softmax, negatives: 64}}}}
seeds: [1, 2]
compare:
  model.backbone: [sasrec, "{name}:{Class}"]
  model.enhancer: [none, llminit]
controls: [popularity, markov]
""",
}


def new(
    kind: Annotated[Literal["backbone"], typer.Argument(metavar="backbone", help="What it is.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the package, such as fpmc.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="A folder that is not there yet; else NAME.")
    ] = None,
) -> None:
    """Write a small package with a backbone, its test and a demo spec.

    An existing folder is never written to.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise GraspBenchError(
            f"'{name}' is no name of a package", hint="use small letters, digits and _: fpmc, my_model"
        )
    folder = to or Path(name)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise GraspBenchError(f"{folder} exists already", hint="name another folder with --to") from None
    words = {"name": name, "Class": "".join(part.capitalize() for part in name.split("_"))}
    for place, text in FILES.items():
        path = folder / place.format(**words)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**words), encoding="utf-8")
    say(f"wrote {folder}; next: cd {folder} && python -m pytest && grasp-bench run demo.yaml")
