"""Export a trained cell as a folder of programs, ids and vectors that scores without the harness.

The exported programs are loaded again and checked before the folder appears: they must score the users of the
cell as the harness does.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

import grasp_bench
from grasp_bench.core import atomic
from grasp_bench.core.errors import DataError, EvaluationError, StoreError
from grasp_bench.core.store import Store
from grasp_bench.data.artefacts import read_item_ids, read_user_ids
from grasp_bench.models.batch import Profiles
from grasp_bench.plan.cells import Cell
from grasp_bench.report.renderers.markdown import escape
from grasp_bench.studies.export.scorer_program import CandidateScores, CatalogueScores, exported, save_program
from grasp_bench.studies.serving import Ints, Request, Serving, TrainedCell, open_cell

FORMAT = 1
MANIFEST = "manifest.json"
PROGRAMS: dict[str, type[CatalogueScores]] = {"catalogue": CatalogueScores, "candidates": CandidateScores}
CHECKED, SHOWN = 64, 101  # users, and candidates of each
TOLERANCE = 1e-5


def export_scorer(cell: Cell, spec: str, store: Store, out: Path) -> Mapping[str, Any]:
    """Write the folder `out` (replacing an earlier export) and return its manifest.

    Raises StoreError where the cell is not trained or `out` holds something else, DataError where users have
    a profile for every position, GraspBenchError where torch cannot export the model, EvaluationError where
    what it exports scores otherwise.
    """
    _refuse_others(out)
    opened = open_cell(cell, store)
    users = opened.recommender.enhancer.profiles(torch.arange(opened.train.num_users))
    if users is not None and opened.readers is not None:
        raise DataError(
            f"{cell.slug}: its users have another profile at every position of their history",
            hint="a scorer takes one profile a user: export a cell without text.users.scope 'prefix'",
        )
    if opened.recommender.enhancer.context_tokens(cell.experiment.model.effective()):
        raise DataError(
            f"{cell.slug}: it reads the embeddings of its users before their history",
            hint="export a cell with model.context none",
        )
    # Another copy: what serves is settled, and holds more than a program needs.
    requests, wanted = _asked(Serving(open_cell(cell, store)))
    partial = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.partial")
    partial.mkdir(parents=True)
    try:
        manifest = _write(opened, spec, users, requests, wanted, partial)
        atomic.write_json(partial / MANIFEST, manifest)
        atomic.write_text(partial / "README.md", readme(manifest))
        if out.exists():
            shutil.rmtree(out)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _refuse_others(out: Path) -> None:
    if out.is_dir() and any(out.iterdir()):
        with suppress(OSError, ValueError):
            if json.loads((out / MANIFEST).read_text()).get("kind") == "scorer":
                return
    elif not out.exists() or out.is_dir():
        return
    raise StoreError(f"{out}: holds something that is no scorer", hint="name a new folder (--out)")


def _write(
    opened: TrainedCell, spec: str, users: Profiles | None, requests: list[Request],
    wanted: Mapping[str, np.ndarray], folder: Path,
) -> dict[str, Any]:  # fmt: skip
    split = opened.inputs["split"].path
    item_ids, user_ids = read_item_ids(split), read_user_ids(split)
    atomic.write_text(folder / "items.json", json.dumps(item_ids, ensure_ascii=False))
    if users is not None:
        atomic.write_text(folder / "users.json", json.dumps(user_ids, ensure_ascii=False))
        tables = {"own": users.own_BD.contiguous(), "similar": users.similar_BD.contiguous()}
        save_file(tables, folder / "users.safetensors")
    width = None if users is None else users.own_BD.shape[1]
    programs, differences = {}, []
    for name, program in PROGRAMS.items():
        path = folder / f"{name}.pt2"
        save_program(exported(program(opened.recommender, opened.max_len), width), path)
        answered = "items" if name == "catalogue" else "K"
        output = _array("scores", ["B", answered], "float32", "higher is better")
        programs[name] = {"file": path.name, "inputs": _inputs(name, width), "output": output}
        differences.append(_check(path, name, requests, users, wanted[name], opened.cell.slug))
    cell, train = opened.cell, opened.cell.nodes["train"]
    return {
        "format": FORMAT,
        "kind": "scorer",
        "spec": spec,
        "cell": cell.slug,
        "dataset": cell.dataset,
        "hash": cell.hash,
        "train_hash": train.hash,
        "model": train.settings["model"],
        "items": len(item_ids),
        "users": len(user_ids) if users is not None else None,
        "embedding_width": width,
        "programs": programs,
        "checked": {"users": len(requests), "largest_difference": max(differences), "tolerance": TOLERANCE},
        "files": {path.name: _sha256(path) for path in sorted(folder.iterdir())},
        "versions": {
            "grasp_bench": grasp_bench.__version__, "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }  # fmt: skip


def _asked(serving: Serving) -> tuple[list[Request], dict[str, np.ndarray]]:
    """Draw some users with candidates, and score them by the harness."""
    rng, items = np.random.default_rng(0), serving.recommender.num_items
    users = np.flatnonzero(np.diff(serving.opened.offsets))
    if not len(users):
        raise DataError(f"{serving.opened.cell.slug}: no user has a history to check its scores on")
    requests = [
        serving.request(int(user), rng.integers(0, items, SHOWN))
        for user in rng.choice(users, min(CHECKED, len(users)), replace=False)
    ]
    return requests, {"catalogue": serving.all_scores(requests), "candidates": serving.scores(requests)}


def _check(
    path: Path, name: str, requests: list[Request], users: Profiles | None, wanted: np.ndarray, slug: str
) -> float:
    """Return the largest difference to the harness's scores; EvaluationError above rounding."""
    inputs = [padded([request.items for request in requests])]
    if name == "candidates":
        inputs.append(torch.from_numpy(np.stack([request.candidates for request in requests])))
    if users is not None:
        rows = torch.tensor([request.user for request in requests])
        inputs += [users.own_BD[rows], users.similar_BD[rows]]
    with torch.no_grad():
        found = torch.export.load(path).module()(*inputs).numpy()
    if not np.allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE):
        raise EvaluationError(
            f"{slug}: the exported {name} program scores otherwise than the harness "
            f"(by up to {float(np.abs(found - wanted).max()):.2g})",
            hint="report it: an export must not change what a model says",
        )
    return float(np.abs(found - wanted).max())


def padded(histories: list[Ints]) -> Tensor:
    """Histories as rows of one width, -1 behind them: (B, L) int64."""
    rows = [torch.from_numpy(items) for items in histories]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)


def _inputs(program: str, width: int | None) -> list[dict[str, Any]]:
    found = [_array("history", ["B", "L"], "int64", "item numbers, oldest first; -1 where there is none")]
    if program == "candidates":
        found.append(_array("candidates", ["B", "K"], "int64", "item numbers"))
    if width is not None:
        found += [
            _array("own", ["B", width], "float32", "the users' embeddings"),
            _array("similar", ["B", width], "float32", "means of the embeddings of the users' neighbours"),
        ]
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _array(name: str, shape: list[str | int], dtype: str, meaning: str) -> dict[str, Any]:
    return {"name": name, "shape": shape, "dtype": dtype, "meaning": meaning}


TEXT = """\
# {cell}

A scorer of the study `{spec}` on {dataset}, for torch {torch} or later: no other code is needed.

```python
{example}
```

`candidates.pt2` takes `candidates` behind `history`, item numbers (B, K), and gives scores (B, K). Histories
may be of any number and length (the latest {max_len} items are read), padded with -1; scores of an empty one
are NaN.
{users}`manifest.json` says what goes in and comes out, which training it is of, and the files' SHA-256.
On {checked} users its scores are the harness's (largest difference {difference:.1g}).
"""
EXAMPLE = """\
import json
import torch

items = json.load(open("items.json"))
number = {id: k for k, id in enumerate(items)}
history = torch.tensor([[number[id] for id in items[:3]]])  # oldest first
score = torch.export.load("catalogue.pt2").module()
with torch.no_grad():
    best = score(history).topk(10)
print([items[k] for k in best.indices[0]])"""
EXAMPLE_OF_USERS = """\
import json
import torch
from safetensors.torch import load_file

items, users = json.load(open("items.json")), json.load(open("users.json"))
vectors, row = load_file("users.safetensors"), users.index(users[0])
history = torch.tensor([[items.index(id) for id in items[:3]]])  # oldest first
score = torch.export.load("catalogue.pt2").module()
with torch.no_grad():
    best = score(history, vectors["own"][[row]], vectors["similar"][[row]]).topk(10)
print([items[k] for k in best.indices[0]])"""
USERS = """\
Behind them it takes the users' embeddings and the means of their neighbours' (B, {width}): those of known
users are in `users.safetensors`, in the order of `users.json`; a new user's come from the same encoder and
search.
"""


def readme(manifest: Mapping[str, Any]) -> str:
    """Write the README: what the folder is, a usage example that runs in it, and the inputs."""
    width = manifest["embedding_width"]
    return TEXT.format(
        cell=escape(manifest["cell"]),
        spec=manifest["spec"],
        dataset=escape(manifest["dataset"]),
        torch=manifest["versions"]["torch"].partition("+")[0],
        example=EXAMPLE if width is None else EXAMPLE_OF_USERS,
        max_len=manifest["model"]["max_len"],
        users="" if width is None else USERS.format(width=width),
        checked=manifest["checked"]["users"],
        difference=manifest["checked"]["largest_difference"],
    )
