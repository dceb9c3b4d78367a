"""The nodes of one cell: which stages it needs, and exactly which settings each of them reads.

A setting that a stage does not read is left out here, so that changing it recomputes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from grasp_bench.plan.nodes import Node, make_node
from grasp_bench.plan.refusals import refuse_unavailable
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.encoder import EncoderSource, PrecomputedEncoder
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.index import Index
from grasp_bench.spec.locations import Located, locate
from grasp_bench.spec.model import NEEDS_EMBEDDINGS
from grasp_bench.spec.text import PrecomputedText, TemplateText

Fingerprint = Callable[[Path], str]
SIDES = (("users", "user"), ("items", "item"))

# Keys of a template source that say how a user's history is told; items have none.
HISTORY_KEYS = ("order", "max_items")
# Keys of `index:` that exact search reads; hnsw and auto (which may choose hnsw) read them all.
EXACT_INDEX_KEYS = ("kind", "num_neighbours")


def cell_nodes(experiment: Experiment, label: str, fingerprint: Fingerprint) -> dict[str, Node]:
    """Map each role of a cell to its node, inputs before what reads them.

    `label` names the cell in its own nodes (train, rank, metrics); shared ones are named by what
    they hold. Raises SpecError for what this version cannot run, MissingFileError for files that
    are not there.
    """
    refuse_unavailable(experiment)
    located = locate(experiment.dataset)
    nodes = {"split": _split_node(experiment.dataset, located, fingerprint)}
    protocol = experiment.dataset.protocol
    nodes["candidates"] = make_node(
        "candidates",
        {"negatives": protocol.negatives, "seed": protocol.candidate_seed},
        {"split": nodes["split"]},
        f"candidates {located.name}",
    )
    if experiment.model.enhancer in NEEDS_EMBEDDINGS:
        for side, role in SIDES:
            nodes |= _side_nodes(experiment, side, role, nodes["split"], fingerprint)
    nodes |= _model_nodes(experiment, label, nodes)
    return nodes


def _split_node(dataset: Dataset, located: Located, fingerprint: Fingerprint) -> Node:
    """Settings: the dataset section, `protocol` reduced to `split`, and `files` (hash by kind).

    A generated dataset is named by its source, one of files by their content.
    """
    files = {"interactions": located.interactions, "items": located.items}
    settings = dataset.model_dump(mode="json", exclude={"protocol"})
    settings["split"] = dataset.protocol.split
    settings["files"] = {kind: fingerprint(path) for kind, path in files.items() if path is not None}
    places = {} if located.generated else {key: settings.pop(key) for key in ("source", "items")}
    return make_node("split", settings, {}, f"split {located.name}", places)


def _side_nodes(
    experiment: Experiment, side: str, role: str, split: Node, fingerprint: Fingerprint
) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    encoder = experiment.encoder
    if isinstance(encoder, PrecomputedEncoder):
        source = {"split": split}
    else:
        nodes[f"{role}_text"] = _text_node(experiment, side, split, fingerprint)
        source = {"text": nodes[f"{role}_text"]}
    embeddings = _embeddings_node(encoder, side, source, fingerprint)
    restricted = side == "items" and experiment.index.restrict_items_to is not None
    neighbours = make_node(
        "neighbours",
        {"side": side, "index": _index_settings(experiment.index, side)},
        {"embeddings": embeddings, **({"split": split} if restricted else {})},
        f"neighbours {side}",
    )
    return nodes | {f"{role}_embeddings": embeddings, f"{role}_neighbours": neighbours}


def _text_node(experiment: Experiment, side: str, split: Node, fingerprint: Fingerprint) -> Node:
    """Settings: side, source, and `file` (hash) where the source names one."""
    source = experiment.text.users if side == "users" else experiment.text.items
    settings: dict[str, Any] = {"side": side, "source": source.model_dump(mode="json")}
    places: dict[str, Any] = {}
    if isinstance(source, TemplateText) and side == "items":
        for key in HISTORY_KEYS:
            del settings["source"][key]
    if isinstance(source, PrecomputedText):
        settings["file"] = fingerprint(Path(source.path))
        places["source"] = {"path": settings["source"].pop("path")}
    elif isinstance(source, TemplateText) and source.template and source.template.endswith(".j2"):
        settings["file"] = fingerprint(Path(source.template))
        places["source"] = {"template": settings["source"].pop("template")}
    return make_node("text", settings, {"split": split}, f"text {side}", places)


def _embeddings_node(
    encoder: EncoderSource, side: str, inputs: dict[str, Node], fingerprint: Fingerprint
) -> Node:
    """Settings: side, encoder (of a precomputed one neither side's path), `files` where there are some."""
    settings: dict[str, Any] = {"side": side, "encoder": encoder.model_dump(mode="json")}
    places: dict[str, Any] = {}
    if isinstance(encoder, PrecomputedEncoder):
        paths = {name: settings["encoder"].pop(name) for name, _ in SIDES}
        settings["files"] = [fingerprint(path) for path in _vector_files(paths[side])]
        places["encoder"] = {side: paths[side]}
    elif Path(encoder.model).is_dir():
        settings["files"] = [fingerprint(Path(encoder.model))]
        places["encoder"] = {"model": settings["encoder"].pop("model")}
    return make_node("embeddings", settings, inputs, f"embeddings {side}", places)


def _vector_files(name: str) -> list[Path]:
    path = Path(name)
    return [path, path.with_suffix(".ids.txt")] if path.suffix in (".npy", ".safetensors") else [path]


def _index_settings(index: Index, side: str) -> dict[str, Any]:
    settings = index.model_dump(mode="json")
    if index.kind == "exact":
        settings = {key: settings[key] for key in (*EXACT_INDEX_KEYS, "restrict_items_to")}
    if side == "users":
        del settings["restrict_items_to"]
    return settings


def _model_nodes(experiment: Experiment, label: str, nodes: dict[str, Node]) -> dict[str, Node]:
    protocol, training = experiment.dataset.protocol, experiment.training
    # Text is read through embeddings; the model reads everything else that is there.
    inputs = {role: node for role, node in nodes.items() if node.stage != "text"}
    validation: dict[str, Any] = {"ties": protocol.ties}
    if training.monitor_protocol == "full":
        validation["exclude_history"] = protocol.exclude_history
    train = make_node(
        "train",
        {
            "model": experiment.model.effective(),
            "training": training.model_dump(mode="json"),
            "seed": experiment.seeds[0],
            "validation": validation,
        },
        inputs,
        f"train {label}",
    )
    ranking = {
        "exclude_history": protocol.exclude_history,
        "also_full_ranking": protocol.also_full_ranking,
        "top": max(protocol.cutoffs),
    }
    rank = make_node("rank", ranking, {"train": train, **inputs}, f"rank {label}")
    measured = {
        "cutoffs": list(protocol.cutoffs),
        "ties": protocol.ties,
        "groups": protocol.groups.model_dump(mode="json"),
    }
    metrics = make_node("metrics", measured, {"rank": rank, "split": nodes["split"]}, f"metrics {label}")
    return {"train": train, "rank": rank, "metrics": metrics}
