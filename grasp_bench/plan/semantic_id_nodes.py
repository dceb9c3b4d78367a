"""Make the nodes of semantic IDs, and of the trainings whose vectors they may quantise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from grasp_bench.components import ENHANCERS
from grasp_bench.plan.nodes import Node, make_node
from grasp_bench.spec.experiment import Experiment

CODES = "item_codes"
TEACHER, SIGNALS_TEACHER = "codes_teacher", "codes_signals_teacher"
# Roles of the trainings among the inputs of codes: that of the vectors, and that of a method's signals.
TEACHER_ROLES = {"vectors": "train", "signals": "signals_train"}
# The enhancer, on SASRec, whose training gives the vectors.
TAUGHT = {"collaborative": "none", "holistic": "grasp"}
# The role whose vectors are quantised, for those that no training gives.
VECTORS = {"text": "item_embeddings", "neighbours": "item_neighbours"}

MakeTraining = Callable[[Experiment, Mapping[str, Node]], Node]


def roles_of_codes(experiment: Experiment) -> tuple[str, ...]:
    """Return the roles of embeddings and neighbours that making the codes takes."""
    settings = experiment.semantic_ids
    if not _settings(experiment).reads_vectors:
        return ()
    if settings.vectors in TAUGHT:
        return ENHANCERS.get(TAUGHT[settings.vectors]).reads
    return (VECTORS[settings.vectors],)


def code_nodes(
    experiment: Experiment, nodes: Mapping[str, Node], make_training: MakeTraining
) -> dict[str, Node]:
    """Make the codes of items from the split and the nodes of `roles_of_codes`.

    Settings: method and its keys, and `vectors` for those of a training, which is a node of its own:
    SASRec with the cell's other keys of `model`, its training and seed.
    """
    asked, method = experiment.semantic_ids, _settings(experiment)
    published = experiment.model.enhancer_settings().semantic_ids
    settings: dict[str, Any] = {"method": asked.method_of(published), **method.model_dump(mode="json")}
    if drawn_with_training(experiment):
        settings["seed"] = experiment.first_seeds[0]
    inputs = {"split": nodes["split"]}
    made: dict[str, Node] = {}
    if method.reads_vectors:
        inputs |= {role: nodes[role] for role in roles_of_codes(experiment)}
        if asked.vectors in TAUGHT:
            settings["vectors"] = asked.vectors
            teaching = _teaching(experiment, TAUGHT[asked.vectors])
            inputs[TEACHER_ROLES["vectors"]] = made[TEACHER] = make_training(teaching, nodes)
    if method.reads_signals:
        teaching = _teaching(experiment, TAUGHT["collaborative"])
        inputs[TEACHER_ROLES["signals"]] = made[SIGNALS_TEACHER] = make_training(teaching, nodes)
    made[CODES] = make_node("semantic_ids", settings, inputs, f"semantic IDs by {settings['method']}")
    return made


def teaches(experiment: Experiment) -> bool:
    """Return whether the codes are made from the vectors of a training."""
    method = _settings(experiment)
    return method.reads_signals or (method.reads_vectors and experiment.semantic_ids.vectors in TAUGHT)


def drawn_with_training(experiment: Experiment) -> bool:
    """Return whether each seed of the training has codes of its own."""
    return experiment.semantic_ids.model_dump()["seed"] is None and _settings(experiment).draws


def _teaching(experiment: Experiment, enhancer: str) -> Experiment:
    """Return the experiment with the model whose vectors are quantised."""
    model = experiment.model.model_copy(update={"backbone": "sasrec", "enhancer": enhancer})
    return experiment.model_copy(update={"model": model})


def _settings(experiment: Experiment) -> Any:
    return experiment.semantic_ids.settings(experiment.model.enhancer_settings().semantic_ids)
