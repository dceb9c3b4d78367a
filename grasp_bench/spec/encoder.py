"""Base classes of the settings that an encoder declares, and the files of vectors that it may read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from grasp_bench.spec.component import Component
from grasp_bench.spec.section import Section

# A folder as LLM-ESR publishes it (`handled/`): one pickled array a side, ids in one map for both.
HANDLED = {"users": "usr_emb_np.pkl", "items": "itm_emb_np.pkl"}
ID_MAP = "id_map.json"
WITH_IDS_BESIDE = (".npy", ".safetensors")


class Reduction(Section):
    """Fewer dimensions, unit norm again: `pca` (fitted on the items' vectors, without centring, so that
    dot products between users and items keep their meaning) or `matryoshka` (the first dimensions, for
    models trained so that those suffice)."""

    kind: Literal["pca", "matryoshka"]
    dimensions: int = Field(ge=2)


class EncoderSettings(Component):
    """Settings of an encoder; a subclass gives `kind` its name and derives from one of the two below."""

    kind: str = ""
    reduce: Reduction | None = None


class TextEncoderSettings(EncoderSettings):
    """Settings of an encoder that reads texts, by a local model or (with `Service`) by a paid one.

    A prefix goes before each text: some models expect a word that says what it is (E5: `query: `). An entity
    without a text gets the mean vector of the others of its side.
    """

    model: str = Field(min_length=1)
    user_prefix: str = ""
    item_prefix: str = ""


class VectorFileSettings(EncoderSettings):
    """Settings of vectors that are read from files, one path a side; no text is read."""

    users: str = Field(min_length=1)
    items: str = Field(min_length=1)
    scope: Literal["train", "train_and_validation", "all"] = "train"
    leaks: Literal["refuse", "mark"] = "refuse"


def vector_files(name: str, side: str) -> list[Path]:
    """The file of one side's vectors, then the file of their ids where the vectors do not hold them.

    A folder stands for LLM-ESR's file of the side in it. Its id map counts only where it exists.
    """
    path = Path(name)
    if path.is_dir():
        path = path / HANDLED[side]
    if path.suffix in WITH_IDS_BESIDE:
        return [path, path.with_suffix(".ids.txt")]
    if path.suffix == ".pkl" and path.with_name(ID_MAP).is_file():
        return [path, path.with_name(ID_MAP)]
    return [path]
