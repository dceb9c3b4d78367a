"""Make the nodes of a cell: the stages it needs, with exactly the settings that each of them reads.

A setting that a stage does not read is left out, so that changing it recomputes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from grasp_bench.components import BACKBONES, DATASETS, ENHANCERS, LOSSES
from grasp_bench.plan.fingerprints import Fingerprint
from grasp_bench.plan.knowledge_nodes import (
    clean_nodes,
    has_prefixes,
    knowledge_nodes,
    require_items_for_text,
    take_out,
)
from grasp_bench.plan.nodes import Node, make_node, nodes_leading_to
from grasp_bench.plan.rankings import candidates_node, metric_settings, ranked_candidates, ranking_settings
from grasp_bench.plan.semantic_id_nodes import CODES, code_nodes, drawn_with_training, roles_of_codes, teaches
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.locations import DatasetFiles, locate

Made = TypeVar("Made")


class CellNodes:
    """Makes the nodes of cells, and nodes that read the same sections only once.

    Sections are compared by identity: cells whose patches do not touch a section share the object.
    """

    def __init__(self, fingerprint: Fingerprint) -> None:
        self.fingerprint = fingerprint
        self.once = Once()

    def located(self, dataset: Dataset) -> DatasetFiles:
        """Where the files of a dataset are."""
        return self.once("located", (dataset,), (), lambda: locate(dataset))

    def of(self, experiment: Experiment, label: str) -> dict[str, Node]:
        """Map each role of a cell to its node, inputs before what reads them.

        `label` names the cell in its own nodes (train, rank, metrics); shared nodes are named by their
        content. Raises MissingFileError for absent files, DataError for texts that need absent item data.
        """
        nodes = self.read_by(experiment)
        return {**nodes, **_model_nodes(experiment, label, nodes, self.fingerprint)}

    def read_by(self, experiment: Experiment) -> Mapping[str, Node]:
        """Make the nodes that a training reads, with their inputs; raises as `of`."""
        sections: tuple[object, ...] = (
            experiment.dataset,
            experiment.text,
            experiment.encoder,
            experiment.index,
            experiment.noise,
        )
        seed = experiment.first_seeds[0] if experiment.noise is not None else None
        roles = experiment.model.enhancer_settings().roles()
        values: tuple[Hashable, ...] = (experiment.model.enhancer, roles, seed)
        if CODES in roles:
            sections += (experiment.semantic_ids,)
            if teaches(experiment):
                sections += (experiment.model, experiment.training)
            if teaches(experiment) or drawn_with_training(experiment):
                values = (*values, experiment.first_seeds[0])
        return self.once("read", sections, values, lambda: self._read_by(experiment, roles))

    def _read_by(self, experiment: Experiment, roles: tuple[str, ...]) -> Mapping[str, Node]:
        dataset, located = experiment.dataset, self.located(experiment.dataset)
        nodes = dict(
            self.once("data", (dataset,), (), lambda: _data_nodes(dataset, located, self.fingerprint))
        )
        coded = CODES in roles
        wanted = {role for role in roles if role != CODES}
        if reads := (*wanted, *(roles_of_codes(experiment) if coded else ())):
            clean = self.once(
                "embedded",
                (dataset, experiment.text, experiment.encoder),
                (has_prefixes(experiment),),
                lambda: clean_nodes(experiment, nodes["split"], self.fingerprint),
            )
            made = knowledge_nodes(experiment, clean, nodes["split"], self.fingerprint)
            nodes |= nodes_leading_to(reads, made)
            require_items_for_text(nodes.values(), located)
        if coded:
            nodes |= code_nodes(experiment, nodes, self._teacher)
        return nodes

    def _teacher(self, experiment: Experiment, nodes: Mapping[str, Node]) -> Node:
        """Make the training of a model whose item vectors become codes."""
        model = experiment.model
        label = f"train {model.backbone}-{model.enhancer}-s{experiment.first_seeds[0]} for semantic IDs"
        return _train_node(experiment, label, nodes, self.fingerprint)


def _data_nodes(dataset: Dataset, located: DatasetFiles, fingerprint: Fingerprint) -> dict[str, Node]:
    split = _split_node(dataset, located, fingerprint)
    return {"split": split, "candidates": candidates_node(dataset.protocol, split, located.name)}


def _split_node(dataset: Dataset, located: DatasetFiles, fingerprint: Fingerprint) -> Node:
    """Settings: the dataset section, `protocol` reduced to the split, and `files` (hash by kind).

    A generated dataset is identified by its source (a plugin's with its version) and keys, others by the
    content of their files.
    """
    settings = dataset.hashed()
    settings["split"] = dataset.protocol.split
    if dataset.protocol.split == "temporal":
        settings["temporal"] = dataset.protocol.temporal.effective()
    elif dataset.protocol.split == "cold_items":
        settings["cold_items"] = dataset.protocol.cold_items.model_dump()
    if version := DATASETS.version(dataset.source) if located.generated else None:
        settings["plugin"] = version
    settings["files"] = {kind: fingerprint(path) for kind, path in located.files.items()}
    locations = {} if located.generated else take_out(settings, ("source", "items", "users"))
    return make_node("split", settings, {}, f"split {located.name}", locations)


def _train_node(
    experiment: Experiment, label: str, nodes: Mapping[str, Node], fingerprint: Fingerprint
) -> Node:
    protocol, training = experiment.dataset.protocol, experiment.training
    inputs = _inputs_of_model(experiment, nodes)
    validation: dict[str, Any] = {"ties": protocol.ties}
    if training.monitor_protocol == "full":
        validation["exclude_history"] = protocol.exclude_history
    elif protocol.candidates == "redrawn":
        validation["negatives"] = protocol.negatives  # drawn from the pool anew at every pass
    enhancer = ENHANCERS.get(experiment.model.enhancer)
    versions = {
        "backbone": None if enhancer.whole_model else BACKBONES.version(experiment.model.backbone),
        "enhancer": ENHANCERS.version(experiment.model.enhancer),
        "loss": None if enhancer.own_loss else LOSSES.version(training.loss.kind),
    }
    weights = None if enhancer.whole_model else experiment.model.backbone_settings().weights_path()
    plugins = {kind: version for kind, version in versions.items() if version is not None}
    trained = training.effective()
    if enhancer.own_loss:
        trained.pop("loss", None)
    return make_node(
        "train",
        {
            **({"plugins": plugins} if plugins else {}),
            **({"weights": fingerprint(weights)} if weights is not None else {}),
            "model": experiment.model.effective(),
            "training": trained,
            "seed": experiment.first_seeds[0],
            "validation": validation,
            **({} if enhancer.own_loss else training.loss.revision()),
        },
        inputs,
        label,
    )


def _inputs_of_model(experiment: Experiment, nodes: Mapping[str, Node]) -> dict[str, Node]:
    reads = ("split", "candidates", *experiment.model.enhancer_settings().roles())
    return {role: node for role, node in nodes.items() if role in reads}


def _model_nodes(
    experiment: Experiment, label: str, nodes: Mapping[str, Node], fingerprint: Fingerprint
) -> dict[str, Node]:
    protocol, inputs = experiment.dataset.protocol, _inputs_of_model(experiment, nodes)
    train = _train_node(experiment, f"train {label}", nodes, fingerprint)
    ranked = ranked_candidates(protocol, nodes["candidates"], train.hash, label)
    rank = make_node(
        "rank", ranking_settings(protocol), {"train": train, **inputs, "candidates": ranked}, f"rank {label}"
    )
    inputs = {"rank": rank, "split": nodes["split"]}
    metrics = make_node("metrics", metric_settings(protocol), inputs, f"metrics {label}")
    own = {} if ranked == nodes["candidates"] else {"ranked_candidates": ranked}
    return {"train": train, **own, "rank": rank, "metrics": metrics}


class Once:
    """A cache keyed by the identity of objects and by values.

    Comparing sections by value costs more than most of the cached work, and sections that are equal in Python
    (1 and 1.0) may have different hashes.
    """

    def __init__(self) -> None:
        # Keeps the objects alive, since an id may be reused afterwards.
        self._made: dict[Hashable, tuple[tuple[object, ...], Any]] = {}

    def __call__(
        self, what: str, objects: tuple[object, ...], values: tuple[Hashable, ...], make: Callable[[], Made]
    ) -> Made:
        """Return the first result of `make` for these objects and values."""
        key = (what, *map(id, objects), *values)
        if key not in self._made:
            self._made[key] = (objects, make())
        made: Made = self._made[key][1]
        return made
