"""The README of an exported scorer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grasp_bench.report.renderers.markdown import escape

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
    """What it is, a usage example that runs in its folder, and what goes in."""
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
