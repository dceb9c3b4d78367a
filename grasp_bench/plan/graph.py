"""The nodes of one cell: which stages it needs, and exactly which settings each of them reads.

A setting that a stage does not read is left out here, so that changing it recomputes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from grasp_bench.components import ENHANCERS
from grasp_bench.plan.candidates import candidates_node, ranked_candidates
from grasp_bench.plan.nodes import Node, make_node
from grasp_bench.plan.once import Once
from grasp_bench.plan.rankings import measured_as, ranked_as
from grasp_bench.plan.untold import refuse_untold
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.encoder import EncoderSource, LiteLLMEncoder, PrecomputedEncoder
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.index import Index
from grasp_bench.spec.locations import Located, locate
from grasp_bench.spec.noise import Noise
from grasp_bench.spec.repair import hashed
from grasp_bench.spec.section import asked_of
from grasp_bench.spec.service import DELIVERY_KEYS
from grasp_bench.spec.text import PrecomputedText
from grasp_bench.spec.vector_files import vector_files

Fingerprint = Callable[[Path], str]
SIDES = (("users", "user"), ("items", "item"))

# Keys of a source that say how a user's history is told; items have none.
HISTORY_KEYS = ("order", "max_items", "scope", "leaks")
# What noise is put on is read under the usual names; what it was before keeps these.
CLEAN = {"text": "clean_text", "vectors": "clean_unreduced", "embeddings": "clean_vectors"}
NOISE_STAGES = ("noise", "text_noise")
OTHER_PREFIX = {"users": "item_prefix", "items": "user_prefix"}
# Keys of `index:` that exact search reads; hnsw and auto (which may choose hnsw) read them all.
EXACT_INDEX_KEYS = ("kind", "num_neighbours")


class CellNodes:
    """Makes the nodes of cells; nodes that read the same sections are made once for all of a spec's cells.

    Sections are told apart as objects: cells whose patches leave a section as it is share it.
    """

    def __init__(self, fingerprint: Fingerprint) -> None:
        self.fingerprint = fingerprint
        self.once = Once()

    def located(self, dataset: Dataset) -> Located:
        """Where the files of a dataset are."""
        return self.once("located", (dataset,), (), lambda: locate(dataset))

    def of(self, experiment: Experiment, label: str) -> dict[str, Node]:
        """Map each role of a cell to its node, inputs before what reads them.

        `label` names the cell in its own nodes (train, rank, metrics); shared ones are named by what
        they hold. Raises MissingFileError for files that are not there, DataError for texts of items of
        which nothing is known.
        """
        nodes = self.read_by(experiment)
        return {**nodes, **_model_nodes(experiment, label, nodes)}

    def read_by(self, experiment: Experiment) -> Mapping[str, Node]:
        """Those of the nodes that a training reads, and what they are made from; raises as `of`."""
        sections = (
            experiment.dataset,
            experiment.text,
            experiment.encoder,
            experiment.index,
            experiment.noise,
        )
        seed = experiment.first_seeds[0] if experiment.noise is not None else None
        values = (experiment.model.enhancer, seed)
        return self.once("read", sections, values, lambda: self._read_by(experiment))

    def _read_by(self, experiment: Experiment) -> Mapping[str, Node]:
        dataset, located = experiment.dataset, self.located(experiment.dataset)
        nodes = dict(
            self.once("data", (dataset,), (), lambda: _data_nodes(dataset, located, self.fingerprint))
        )
        if reads := ENHANCERS.get(experiment.model.enhancer).reads:
            clean = self.once(
                "embedded",
                (dataset, experiment.text, experiment.encoder),
                (has_prefixes(experiment),),
                lambda: _clean_nodes(experiment, nodes["split"], self.fingerprint),
            )
            made = _text_side_nodes(experiment, clean, nodes["split"], self.fingerprint)
            nodes |= _leading_to(reads, made)
            refuse_untold(nodes.values(), located)
        return nodes


def cell_nodes(experiment: Experiment, label: str, fingerprint: Fingerprint) -> dict[str, Node]:
    """The nodes of one cell alone, as `CellNodes.of` makes them."""
    return CellNodes(fingerprint).of(experiment, label)


def _data_nodes(dataset: Dataset, located: Located, fingerprint: Fingerprint) -> dict[str, Node]:
    split = _split_node(dataset, located, fingerprint)
    return {"split": split, "candidates": candidates_node(dataset.protocol, split, located.name)}


def _split_node(dataset: Dataset, located: Located, fingerprint: Fingerprint) -> Node:
    """Settings: the dataset section, `protocol` reduced to how it is split, and `files` (hash by kind).

    A generated dataset is named by its source, one of files by their content.
    """
    files = {"interactions": located.interactions, "items": located.items, "users": located.users}
    settings = dataset.model_dump(mode="json", exclude={"protocol"})
    for later in ("users", "sample_users"):
        if settings[later] is None:
            del settings[later]
    settings["repair"] = hashed(dataset.repair)
    settings["split"] = dataset.protocol.split
    if dataset.protocol.split == "temporal":
        settings["temporal"] = dataset.protocol.temporal.effective()
    settings["files"] = {kind: fingerprint(path) for kind, path in files.items() if path is not None}
    places = {} if located.generated else _taken(settings, ("source", "items", "users"))
    return make_node("split", settings, {}, f"split {located.name}", places)


def _clean_nodes(experiment: Experiment, split: Node, fingerprint: Fingerprint) -> dict[str, Node]:
    """Text and embeddings of both sides, as they are without noise."""
    return _embedded(experiment, _texts(experiment, split, fingerprint), split, fingerprint)


def _text_side_nodes(
    experiment: Experiment, clean: Mapping[str, Node], split: Node, fingerprint: Fingerprint
) -> dict[str, Node]:
    """Text, embeddings and neighbours of both sides.

    `…_vectors` are embeddings before they are reduced. Under noise these names are of what is corrupted, and
    CLEAN names what it was.
    """
    noise = experiment.noise.at(experiment.noise.rate) if experiment.noise is not None else None
    if noise is None:
        return {**clean, **_neighbours(experiment, clean, split)}
    if noise.target == "text":
        texts = _noisy_texts(noise, experiment.first_seeds[0], clean)
        nodes = _embedded(experiment, texts, split, fingerprint)
    else:
        nodes = {**clean, **_noisy_embeddings(noise, experiment.first_seeds[0], clean, split)}
    searched = clean if noise.when == "after_retrieval" else nodes
    before = {_clean(role): node for role, node in clean.items() if nodes[role] != node}
    return before | nodes | _neighbours(experiment, searched, split)


def _clean(role: str) -> str:
    side, _, kind = role.partition("_")
    return f"{side}_{CLEAN[kind]}"


def _texts(experiment: Experiment, split: Node, fingerprint: Fingerprint) -> dict[str, Node]:
    """Nothing where vectors are precomputed."""
    if isinstance(experiment.encoder, PrecomputedEncoder):
        return {}
    return {f"{role}_text": _text_node(experiment, side, split, fingerprint) for side, role in SIDES}


def _embedded(
    experiment: Experiment, texts: Mapping[str, Node], split: Node, fingerprint: Fingerprint
) -> dict[str, Node]:
    """The texts, their embeddings, and what those were before they were reduced."""
    nodes, reduce = dict(texts), experiment.encoder.reduce
    for side, role in SIDES:
        source = {"text": texts[f"{role}_text"]} if texts else {"split": split}
        made = _embeddings_node(experiment.encoder, side, source, fingerprint)
        nodes[f"{role}_vectors" if reduce else f"{role}_embeddings"] = made
    if reduce:
        for side, role in SIDES:
            inputs = {"embeddings": nodes[f"{role}_vectors"], "fitted_on": nodes["item_vectors"]}
            settings = {"side": side, **reduce.model_dump(mode="json")}
            nodes[f"{role}_embeddings"] = make_node("reduction", settings, inputs, f"reduction {side}")
    return nodes


def _neighbours(experiment: Experiment, nodes: Mapping[str, Node], split: Node) -> dict[str, Node]:
    """Both sides' neighbours among these embeddings."""
    found = {}
    for side, role in SIDES:
        # The split says of which value an item is, and of which user a prefix.
        told = experiment.index.restrict_items_to is not None if side == "items" else has_prefixes(experiment)
        found[f"{role}_neighbours"] = make_node(
            "neighbours",
            {"side": side, "index": _index_settings(experiment.index, side)},
            {"embeddings": nodes[f"{role}_embeddings"], **({"split": split} if told else {})},
            f"neighbours {side}",
        )
    return found


def has_prefixes(experiment: Experiment) -> bool:
    """Whether the cell reads profiles of training positions besides those of users."""
    reads = ENHANCERS.get(experiment.model.enhancer).reads_profile_per_position
    return (
        reads
        and experiment.text.users.scope == "prefix"
        and not isinstance(experiment.encoder, PrecomputedEncoder)
    )


def _leading_to(roles: Iterable[str], nodes: Mapping[str, Node]) -> dict[str, Node]:
    """The nodes in these roles and those that they are made from."""
    wanted = [nodes[role] for role in roles]
    hashes = {node.hash for found in wanted for node in (found, *found.ancestors())}
    return {role: node for role, node in nodes.items() if node.hash in hashes}


def _noisy_embeddings(noise: Noise, seed: int, clean: Mapping[str, Node], split: Node) -> dict[str, Node]:
    """The sides that are hit; the seed is that of the training, so that each seed has its own noise.

    Categories are told by the split.
    """
    made: dict[str, Node] = {}
    for side, role in SIDES:
        if noise.hits(side):
            settings: dict[str, Any] = {"side": side, "kind": noise.kind, "rate": noise.rate, "seed": seed}
            if noise.applied_strength is not None:
                settings["strength"] = noise.applied_strength
            told = {"split": split} if noise.kind == "category_flip" else {}
            inputs = {"embeddings": clean[f"{role}_embeddings"], **told}
            made[f"{role}_embeddings"] = make_node("noise", settings, inputs, f"noise {side}")
    return made


def _noisy_texts(noise: Noise, seed: int, clean: Mapping[str, Node]) -> dict[str, Node]:
    """The texts of both sides; those of the sides that are hit belong to others."""
    made: dict[str, Node] = {}
    for side, role in SIDES:
        text = made[f"{role}_text"] = clean[f"{role}_text"]
        if noise.hits(side):
            settings = {"side": side, "rate": noise.rate, "seed": seed}
            label = f"text noise {side}"
            made[f"{role}_text"] = make_node("text_noise", settings, {"text": text}, label)
    return made


def _text_node(experiment: Experiment, side: str, split: Node, fingerprint: Fingerprint) -> Node:
    """Settings: side, source, and `file` (hash) where the source names one."""
    source = experiment.text.users if side == "users" else experiment.text.items
    settings: dict[str, Any] = {"side": side, "source": asked_of(source)}
    if settings["source"].get("scope") == "prefix" and not has_prefixes(experiment):
        settings["source"]["scope"] = "train"  # what this cell would not read of it
    places: dict[str, Any] = {}
    if side == "items":
        for key in HISTORY_KEYS:
            settings["source"].pop(key, None)
    if isinstance(source, PrecomputedText):
        settings["file"] = fingerprint(Path(source.path))
        places["path"] = settings["source"].pop("path")
    elif source.template and source.template.endswith(".j2"):
        settings["file"] = fingerprint(Path(source.template))
        places["template"] = settings["source"].pop("template")
    places |= _taken(settings["source"], DELIVERY_KEYS)
    return make_node("text", settings, {"split": split}, f"text {side}", {"source": places})


def _embeddings_node(
    encoder: EncoderSource, side: str, inputs: dict[str, Node], fingerprint: Fingerprint
) -> Node:
    """Settings: side, encoder (with neither other side's keys nor paths), `files` where there are some."""
    settings: dict[str, Any] = {"side": side, "encoder": asked_of(encoder)}
    _taken(settings["encoder"], ("reduce", OTHER_PREFIX[side]))
    places: dict[str, Any] = {}
    if isinstance(encoder, PrecomputedEncoder):
        paths = _taken(settings["encoder"], [name for name, _ in SIDES])
        settings["files"] = [fingerprint(path) for path in vector_files(paths[side], side)]
        places = {side: paths[side]}
    elif isinstance(encoder, LiteLLMEncoder):
        # Vectors are kept by text: how many were asked for at once is delivery, too.
        places = _taken(settings["encoder"], (*DELIVERY_KEYS, "batch_size"))
    elif Path(encoder.model).is_dir():
        settings["files"] = [fingerprint(Path(encoder.model))]
        places = _taken(settings["encoder"], ("model",))
    return make_node("embeddings", settings, inputs, f"embeddings {side}", {"encoder": places})


def _taken(settings: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Take keys out of the settings that are there, and return them."""
    return {key: settings.pop(key) for key in keys if key in settings}


def _index_settings(index: Index, side: str) -> dict[str, Any]:
    settings = index.model_dump(mode="json")
    if index.kind == "exact":
        settings = {key: settings[key] for key in (*EXACT_INDEX_KEYS, "restrict_items_to")}
    if side == "users":
        del settings["restrict_items_to"]
    return settings


def _model_nodes(experiment: Experiment, label: str, nodes: Mapping[str, Node]) -> dict[str, Node]:
    protocol, training = experiment.dataset.protocol, experiment.training
    reads = ("split", "candidates", *ENHANCERS.get(experiment.model.enhancer).reads)
    inputs = {role: node for role, node in nodes.items() if role in reads}
    validation: dict[str, Any] = {"ties": protocol.ties}
    if training.monitor_protocol == "full":
        validation["exclude_history"] = protocol.exclude_history
    elif protocol.candidates == "redrawn":
        validation["negatives"] = protocol.negatives  # so many of the pool, others at every pass
    train = make_node(
        "train",
        {
            "model": experiment.model.effective(),
            "training": training.effective(),
            "seed": experiment.first_seeds[0],
            "validation": validation,
            **training.loss.revision(),
        },
        inputs,
        f"train {label}",
    )
    ranked = ranked_candidates(protocol, nodes["candidates"], train.hash, label)
    rank = make_node(
        "rank", ranked_as(protocol), {"train": train, **inputs, "candidates": ranked}, f"rank {label}"
    )
    inputs = {"rank": rank, "split": nodes["split"]}
    metrics = make_node("metrics", measured_as(protocol), inputs, f"metrics {label}")
    own = {} if ranked == nodes["candidates"] else {"ranked_candidates": ranked}
    return {"train": train, **own, "rank": rank, "metrics": metrics}
