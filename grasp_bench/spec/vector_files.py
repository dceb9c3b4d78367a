"""Which files hold the vectors of one side: what is read, and so what is fingerprinted."""

from __future__ import annotations

from pathlib import Path

# A folder as LLM-ESR publishes it (`handled/`): one pickled array a side, ids in one map for both.
HANDLED = {"users": "usr_emb_np.pkl", "items": "itm_emb_np.pkl"}
ID_MAP = "id_map.json"
WITH_IDS_BESIDE = (".npy", ".safetensors")


def vector_files(name: str, side: str) -> list[Path]:
    """The file of vectors, then the one that says whose they are, where the vectors do not say it themselves.

    A folder stands for LLM-ESR's file of the side in it. The id map counts only where it is there.
    """
    path = Path(name)
    if path.is_dir():
        path = path / HANDLED[side]
    if path.suffix in WITH_IDS_BESIDE:
        return [path, path.with_suffix(".ids.txt")]
    if path.suffix == ".pkl" and path.with_name(ID_MAP).is_file():
        return [path, path.with_name(ID_MAP)]
    return [path]
