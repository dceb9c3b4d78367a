"""Base classes of encoder settings, and the vector files that an encoder may read."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from grasp_bench.spec.section import Component, Section

# LLM-ESR's published folder (`handled/`): one pickled array a side, and one id map for both.
HANDLED = {"users": "usr_emb_np.pkl", "items": "itm_emb_np.pkl"}
ID_MAP = "id_map.json"
WITH_IDS_BESIDE = (".npy", ".safetensors")


class Reduction(Section):
    """Dimension reduction, after which vectors have unit norm again.

    `pca` is fitted on the items' vectors without centring, so that dot products between users and items keep
    their meaning. `matryoshka` keeps the first dimensions, for models trained for that.
    """

    kind: Literal["pca", "matryoshka"]
    dimensions: int = Field(ge=2)


class EncoderSettings(Component):
    """Settings of an encoder; subclass one of the two below and give `kind` the name."""

    kind: str = ""
    reduce: Reduction | None = None


class TextEncoderSettings(EncoderSettings):
    """Settings of an encoder of texts: a local model or, with `Service`, a paid one.

    A prefix is put before each text, as some models expect (E5: `query: `). An entity without a text gets the
    mean vector of the others of its side.

    Attributes:
        unhashed: keys that decide how fast vectors come, not what they are.
        text_cost: time for a text, in that of MiniLM; `plan` guesses by it.
    """

    unhashed: ClassVar[tuple[str, ...]] = ()
    text_cost: ClassVar[float] = 1.0

    model: str = Field(min_length=1)
    user_prefix: str = ""
    item_prefix: str = ""

    def weights(self) -> Path | None:
        """Return the file or folder of the model, which counts by its content; None for a model by name."""
        return Path(self.model) if Path(self.model).is_dir() else None


class VectorFileSettings(EncoderSettings):
    """Settings of precomputed vectors, read from one file a side; texts are not read."""

    users: str = Field(min_length=1)
    items: str = Field(min_length=1)
    scope: Literal["train", "train_and_validation", "all"] = "train"
    leaks: Literal["refuse", "mark"] = "refuse"


def vector_files(name: str, side: str) -> list[Path]:
    """Return the file of one side's vectors, then the file of their ids if the vectors do not hold them.

    A folder stands for LLM-ESR's file of the side in it, and its id map if there is one.
    """
    path = Path(name)
    if path.is_dir():
        path = path / HANDLED[side]
    if path.suffix in WITH_IDS_BESIDE:
        return [path, path.with_suffix(".ids.txt")]
    if path.suffix == ".pkl" and path.with_name(ID_MAP).is_file():
        return [path, path.with_name(ID_MAP)]
    return [path]
