"""A trained model out of its artefact, ready to be asked."""

from __future__ import annotations

from safetensors.torch import load_file

from grasp_bench.core.store import Artefact
from grasp_bench.data.splits import TrainPart
from grasp_bench.models.enhancers.base import Knowledge
from grasp_bench.models.recommender import Recommender
from grasp_bench.plan.nodes import Node
from grasp_bench.training.loop import MODEL


def trained(
    node: Node, artefact: Artefact, part: TrainPart, known: Knowledge | None, device: str
) -> Recommender:
    """The recommender that the train node `node` has left in `artefact`, on the device.

    `known` holds the frozen embeddings that it was trained on (`stages.model_inputs.knowledge`): they are no
    part of a checkpoint.
    """
    recommender = Recommender.from_settings(node.settings["model"], part.num_users, part.num_items, known)
    recommender.load_state_dict(load_file(artefact.file(MODEL)))
    return recommender.to(device)
