"""The work of a node: its seconds on one core of the machine that the constants below were measured on.

Only ratios matter beyond a first guess: `plan.estimate` corrects these seconds by what nodes took here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grasp_bench.components import BACKBONES, ENCODERS, ENHANCERS, LOSSES, SEMANTIC_IDS
from grasp_bench.core.registry import Components
from grasp_bench.plan.local_models import encoder_size, relative
from grasp_bench.plan.nodes import Node, asks_service, service_in, service_of
from grasp_bench.plan.sizes import Sizes
from grasp_bench.spec.section import BackboneSettings, EnhancerSettings

# Seconds, mostly measured on amazon-beauty and samples of it, with vectors of MiniLM, on an AMD EPYC.
ONCE = {"split": 0.3, "adaptation": 5.0, "embeddings": 3.0, "train": 0.3}  # whatever the size
ONCE_ELSE = 0.1
INTERACTION = 5e-6  # read, filtered and written
CANDIDATE = 1e-7
ROW = {"text users": 1e-4, "text items": 5e-5, "embeddings users": 2.5e-2, "embeddings items": 7e-3}
ROW_ELSE = 2e-5
ADAPTED_TOKEN = 1e-2  # SmolLM2, forward and backward
PAIR = 1.3e-8  # of entities, in a search for neighbours
LARGEST_EXACT_SEARCH = 80_000  # entities; above it the time no longer grows with the square
ANSWER_SECONDS = {"text": 2.0, "embeddings": 0.5}  # of a request to a service
# Parts of an epoch of SASRec with embedding_dim WIDTH.
WIDTH = 64
TOKEN = 9e-6
STEP = 4e-3
UPDATED_ITEM = 4e-7  # a row of the table of items, at each step of Adam
LOSS_SCORE = 1.2e-8  # a negative for a token
FORWARD = 0.3  # of a token's time when nothing is learnt
SCORE = 2.4e-8  # an item ranked for a user
SAMPLED = 100  # items ranked for a user without full ranking
CONTROL_SCORE = 1.2e-8


@dataclass(frozen=True)
class Work:
    """Seconds of a node: `once`, and `each` for a pass (an epoch of a training)."""

    once: float
    each: float


def kind_of(node: Node) -> tuple[str, ...]:
    """Return the kind of a node, from general to particular: those that begin alike are about as fast."""
    settings, model = node.settings, _model(node)
    encoder = settings.get("encoder", {})
    parts = [
        settings.get("control"),
        settings.get("method"),
        settings.get("side"),
        encoder.get("kind"),
        encoder.get("model"),
    ]
    parts += [model.get(key) for key in ("backbone", "enhancer")]
    if (service := service_in(node.stage, settings)) is not None:
        parts += [service[key] for key in ("provider", "model") if key in service]
    if node.stage == "train":
        parts += [settings["training"].get("loss", {}).get("kind"), settings["training"]["monitor_protocol"]]
    parts += [model.get("embedding_dim")]
    return node.stage, *(str(part) for part in parts if part is not None)


def work_of(node: Node, sizes: Sizes) -> Work:
    """Return the work of a node on data of these sizes."""
    once = ONCE.get(node.stage, ONCE_ELSE)
    side = node.settings.get("side", "users")
    rows = sizes.users if side == "users" else sizes.items
    if asks_service(node):
        service = service_of(node)
        at_once = service["concurrency"] * service.get("batch_size", 1)
        return Work(once, rows * ANSWER_SECONDS[node.stage] / at_once)
    encoder = node.settings.get("encoder", {})
    if encoder.get("kind") == "precomputed":
        return Work(ONCE_ELSE, rows * ROW_ELSE)
    if node.stage == "adaptation":
        tokens = encoder["adapt"]["steps"] * encoder["adapt"]["batch_tokens"]
        return Work(once + tokens * ADAPTED_TOKEN * relative(encoder_size(node)), 0.0)
    if node.stage == "train":
        return Work(once, _epoch(node, sizes))
    if node.stage in ("rank", "control"):
        return Work(once, _ranking(node, sizes))
    if node.stage == "neighbours":
        return Work(once, rows * min(rows, LARGEST_EXACT_SEARCH) * PAIR)
    if node.stage == "candidates":
        return Work(once, sizes.users * node.settings["negatives"] * CANDIDATE)
    if node.stage == "semantic_ids":
        keys = {key: value for key, value in node.settings.items() if key not in ("method", "vectors")}
        method = SEMANTIC_IDS.get(node.settings["method"]).model_validate(keys)
        return Work(once, sizes.items * method.cost())
    if node.stage == "split":
        return Work(once, sizes.interactions * INTERACTION)
    cost = _cost(ENCODERS, encoder.get("kind", ""), "text_cost") if node.stage == "embeddings" else 1.0
    return Work(once, rows * ROW.get(f"{node.stage} {side}", ROW_ELSE) * cost * relative(encoder_size(node)))


def _epoch(node: Node, sizes: Sizes) -> float:
    """Seconds of an epoch with its share of a validation."""
    model, training = node.settings["model"], node.settings["training"]
    width: float = model["embedding_dim"] / WIDTH
    tokens: float = min(
        max(sizes.users, sizes.interactions - 2 * sizes.users), sizes.users * model["max_len"]
    )
    token = TOKEN * _token_cost(model)
    negatives = _negatives(training.get("loss", {}), sizes)
    updated = sizes.items * width if training.get("optimizer", "adam") == "adam" else 0.0
    steps = max(1.0, sizes.users / training["batch_size"])
    # What a language model takes more than SASRec, for each time that the enhancer has it read a history.
    enhancer = ENHANCERS.get(model["enhancer"]) if model["enhancer"] in ENHANCERS else EnhancerSettings
    usual = TOKEN * width * _cost(BACKBONES, model.get("backbone", ""), "token_cost")
    deep = tokens * (token - usual) * enhancer.readings(model)
    learning: float = steps * (STEP + updated * UPDATED_ITEM) + tokens * (
        usual + negatives * LOSS_SCORE * width
    )
    scored = sizes.items if training["monitor_protocol"] == "full" else SAMPLED
    validation: float = tokens * FORWARD * token + sizes.users * scored * _score(model)
    factor = _cost(ENHANCERS, model["enhancer"], "training_cost")
    every: int = training["eval_every"]
    return learning * factor + deep + validation / every


def _negatives(loss: Mapping[str, Any], sizes: Sizes) -> float:
    kind = loss.get("kind", LOSSES.default)
    whole = kind in LOSSES and LOSSES.get(kind).negatives == 0
    return sizes.items if whole else float(loss.get("negatives", 1))


def _ranking(node: Node, sizes: Sizes) -> float:
    scored = sizes.items if node.settings["also_full_ranking"] else SAMPLED
    if node.stage == "control":
        return sizes.users * scored * CONTROL_SCORE
    model = _model(node)
    token = TOKEN * _token_cost(model)
    return sizes.interactions * FORWARD * token + sizes.users * scored * _score(model)


def _score(model: Mapping[str, Any]) -> float:
    return SCORE * _cost(ENHANCERS, model["enhancer"], "scoring_cost")


def _model(node: Node) -> Mapping[str, Any]:
    settings = node.inputs["train"].settings if node.stage == "rank" else node.settings
    model: Mapping[str, Any] = settings.get("model", {})
    return model


def _token_cost(model: Mapping[str, Any]) -> float:
    """Return a backbone's cost of a token; by its width for a plugin that no spec of this process names."""
    backbone: str = model.get("backbone", "")
    kind = BACKBONES.get(backbone) if backbone in BACKBONES else BackboneSettings
    return kind.cost_of_token(model)


def memory_of(node: Node) -> float:
    """Return the megabytes of weights in a training or a ranking, if they are many."""
    model = _model(node)
    backbone: str = model.get("backbone", "")
    return BACKBONES.get(backbone).memory_mb(model) if backbone in BACKBONES else 0.0


def _cost(components: Components[Any], name: str, key: str) -> float:
    """Return a component's cost; 1 for a plugin that no spec of this process names."""
    return float(getattr(components.get(name), key, 1.0)) if name in components else 1.0
