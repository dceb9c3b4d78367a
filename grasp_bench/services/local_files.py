"""Tell which weights a model in this process, `local/<name>`, has."""

from __future__ import annotations

from grasp_bench.core.hashing import file_hash
from grasp_bench.core.model_files import EXTRA as EXTRA
from grasp_bench.core.model_files import GGUF
from grasp_bench.core.model_files import Place as Place
from grasp_bench.core.model_files import locate_model as locate_model
from grasp_bench.spec.service import weights_of

WEIGHTS = (GGUF, ".safetensors", ".bin")


def weights_version(model: str) -> str:
    """Return a hash of the weights of `local/<file or folder>`; empty for any other model.

    A path says nothing of what lies there, unlike the name of a model that somebody publishes.
    """
    path = weights_of(model)
    if path is None:
        return ""
    files = [path] if path.is_file() else sorted(each for each in path.iterdir() if each.suffix in WEIGHTS)
    return "".join(file_hash(each) for each in files)
