"""Make the nodes of texts, embeddings and neighbours, with exactly the settings that each of them reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from grasp_bench.components import ENCODERS, ENHANCERS, NOISES, SEARCHERS, TEXT_PROVIDERS
from grasp_bench.core.errors import DataError
from grasp_bench.plan.fingerprints import Fingerprint
from grasp_bench.plan.nodes import Node, make_node
from grasp_bench.spec.choices import EncoderSource
from grasp_bench.spec.encoder import TextEncoderSettings, VectorFileSettings, vector_files
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.index import AUTO, Index
from grasp_bench.spec.locations import ROOT_VARIABLE, DatasetFiles, root_in_words
from grasp_bench.spec.noise import Noise
from grasp_bench.spec.public_sets import PUBLIC_SETS, how_to_make
from grasp_bench.spec.section import explicit_values
from grasp_bench.spec.service import DELIVERY_KEYS, Service, weights_of
from grasp_bench.spec.text import PromptSettings, TextFileSettings

SIDES = (("users", "user"), ("items", "item"))
# Keys of a source that concern a user's history; items have none.
HISTORY_KEYS = ("order", "max_items", "scope", "leaks")
# Under noise, the usual roles are the noisy nodes; the clean ones get these names.
CLEAN = {"text": "clean_text", "vectors": "clean_unreduced", "embeddings": "clean_vectors"}
NOISE_STAGES = ("noise", "text_noise")
OTHER_PREFIX = {"users": "item_prefix", "items": "user_prefix"}
ELSEWHERE = "./prepared"
ITEMS_FILE = "add items.csv (item_id, title and whatever else is known), or use precomputed texts or vectors"


def clean_nodes(experiment: Experiment, split: Node, fingerprint: Fingerprint) -> dict[str, Node]:
    """Make the text and embeddings of both sides, without noise."""
    return _embedded(experiment, _texts(experiment, split, fingerprint), split, fingerprint)


def knowledge_nodes(
    experiment: Experiment, clean: Mapping[str, Node], split: Node, fingerprint: Fingerprint
) -> dict[str, Node]:
    """Make the text, embeddings and neighbours of both sides.

    `…_vectors` are embeddings before reduction. Under noise these roles are the corrupted nodes, and CLEAN
    names the originals.
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
    before = {_clean_role(role): node for role, node in clean.items() if nodes[role] != node}
    return before | nodes | _neighbours(experiment, searched, split)


def has_prefixes(experiment: Experiment) -> bool:
    """True when the cell reads profiles of training positions besides those of users."""
    reads = ENHANCERS.get(experiment.model.enhancer).reads_profile_per_position
    return (
        reads
        and experiment.text.users.scope == "prefix"
        and not isinstance(experiment.encoder, VectorFileSettings)
    )


def require_items_for_text(nodes: Iterable[Node], located: DatasetFiles) -> None:
    """Raise DataError when texts need item data and the dataset has no items file.

    Texts of users may use a users file instead. The text stage would fail too, but only after the stages
    before it.
    """
    if located.generated or located.items is not None:
        return
    sides = [
        node.settings["side"]
        for node in nodes
        if node.stage == "text" and node.settings["source"]["provider"] != "precomputed"
    ]
    lacking = [side for side in dict.fromkeys(sides) if side == "items" or located.users is None]
    if lacking:
        raise DataError(
            f"{located.interactions}: has no items file beside it, and "
            f"{' and '.join(f'text.{side}' for side in lacking)} tell of items by their titles",
            hint=_hint(located),
        )


def _hint(located: DatasetFiles) -> str:
    if located.name not in PUBLIC_SETS:
        return ITEMS_FILE
    # `data prepare` makes items too, so this folder is the user's own and is not overwritten.
    where = f"{ELSEWHERE}, since {root_in_words()} holds other data of that name, which are left as they are"
    return how_to_make(located.name, where, f"{ROOT_VARIABLE}={ELSEWHERE} ")


def _texts(experiment: Experiment, split: Node, fingerprint: Fingerprint) -> dict[str, Node]:
    """Make the text nodes of both sides; none for precomputed vectors."""
    if isinstance(experiment.encoder, VectorFileSettings):
        return {}
    return {f"{role}_text": _text_node(experiment, side, split, fingerprint) for side, role in SIDES}


def _embedded(
    experiment: Experiment, texts: Mapping[str, Node], split: Node, fingerprint: Fingerprint
) -> dict[str, Node]:
    """Make the embeddings of both sides, reduced if the encoder says so; keep texts and unreduced vectors."""
    nodes, reduce = dict(texts), experiment.encoder.reduce
    adaptation: dict[str, Node] = {}
    if getattr(experiment.encoder, "adapt", None) is not None:
        adaptation["adaptation"] = _adaptation_node(experiment.encoder, texts, fingerprint)
    nodes |= adaptation
    for side, role in SIDES:
        source = {"text": texts[f"{role}_text"], **adaptation} if texts else {"split": split}
        made = _embeddings_node(experiment.encoder, side, source, fingerprint)
        nodes[f"{role}_vectors" if reduce else f"{role}_embeddings"] = made
    if reduce:
        for side, role in SIDES:
            inputs = {"embeddings": nodes[f"{role}_vectors"], "fitted_on": nodes["item_vectors"]}
            settings = {"side": side, **reduce.model_dump(mode="json")}
            nodes[f"{role}_embeddings"] = make_node("reduction", settings, inputs, f"reduction {side}")
    return nodes


def _neighbours(experiment: Experiment, nodes: Mapping[str, Node], split: Node) -> dict[str, Node]:
    """Make the neighbours of both sides among these embeddings."""
    found = {}
    for side, role in SIDES:
        # The split knows the group of an item and the user of a prefix.
        needs_split = (
            experiment.index.restrict_items_to is not None if side == "items" else has_prefixes(experiment)
        )
        found[f"{role}_neighbours"] = make_node(
            "neighbours",
            {"side": side, "index": _index_settings(experiment.index, side)},
            {"embeddings": nodes[f"{role}_embeddings"], **({"split": split} if needs_split else {})},
            f"neighbours {side}",
        )
    return found


def _clean_role(role: str) -> str:
    side, _, kind = role.partition("_")
    return f"{side}_{CLEAN[kind]}"


def _noisy_embeddings(noise: Noise, seed: int, clean: Mapping[str, Node], split: Node) -> dict[str, Node]:
    """Make noisy embeddings of the affected sides; each training seed has its own noise."""
    made: dict[str, Node] = {}
    for side, role in SIDES:
        if noise.hits(side):
            settings: dict[str, Any] = {"side": side, "kind": noise.kind, "rate": noise.rate, "seed": seed}
            if noise.applied_strength is not None:
                settings["strength"] = noise.applied_strength
            categories = {"split": split} if NOISES.get(noise.kind).reads_categories else {}
            inputs = {"embeddings": clean[f"{role}_embeddings"], **categories}
            made[f"{role}_embeddings"] = make_node("noise", settings, inputs, f"noise {side}")
    return made


def _noisy_texts(noise: Noise, seed: int, clean: Mapping[str, Node]) -> dict[str, Node]:
    """Make the text nodes of both sides; on affected sides some texts belong to other entities."""
    made: dict[str, Node] = {}
    for side, role in SIDES:
        text = made[f"{role}_text"] = clean[f"{role}_text"]
        if noise.hits(side):
            settings = {"side": side, "rate": noise.rate, "seed": seed}
            label = f"text noise {side}"
            made[f"{role}_text"] = make_node("text_noise", settings, {"text": text}, label)
    return made


def _text_node(experiment: Experiment, side: str, split: Node, fingerprint: Fingerprint) -> Node:
    """Settings: side, source, and `file` (hash) if the source names one."""
    source = experiment.text.users if side == "users" else experiment.text.items
    settings: dict[str, Any] = {"side": side, "source": explicit_values(source)}
    if settings["source"].get("scope") == "prefix" and not has_prefixes(experiment):
        settings["source"]["scope"] = "train"  # this cell does not read the prefixes
    if version := TEXT_PROVIDERS.version(source.provider):
        settings["plugin"] = version
    locations: dict[str, Any] = {}
    if side == "items":
        for key in HISTORY_KEYS:
            settings["source"].pop(key, None)
    if isinstance(source, TextFileSettings):
        settings["file"] = fingerprint(Path(source.path))
        locations["path"] = settings["source"].pop("path")
    elif isinstance(source, PromptSettings) and source.template and source.template.endswith(".j2"):
        settings["file"] = fingerprint(Path(source.template))
        locations["template"] = settings["source"].pop("template")
    if isinstance(source, Service) and (weights := weights_of(source.model)) is not None:
        settings["weights"] = fingerprint(weights)
    locations |= take_out(settings["source"], DELIVERY_KEYS)
    return make_node("text", settings, {"split": split}, f"text {side}", {"source": locations})


def _embeddings_node(
    encoder: EncoderSource, side: str, inputs: dict[str, Node], fingerprint: Fingerprint
) -> Node:
    """Settings: side, encoder (without paths and keys of the other side), `files` if there are any."""
    settings: dict[str, Any] = {"side": side, "encoder": explicit_values(encoder)}
    take_out(settings["encoder"], ("reduce", "adapt", OTHER_PREFIX[side]))
    if version := ENCODERS.version(encoder.kind):
        settings["plugin"] = version
    locations: dict[str, Any] = {}
    if isinstance(encoder, VectorFileSettings):
        paths = take_out(settings["encoder"], [name for name, _ in SIDES])
        settings["files"] = [fingerprint(path) for path in vector_files(paths[side], side)]
        locations = {side: paths[side]}
    elif isinstance(encoder, Service):
        # Vectors are stored by text, so the batch size of requests does not change them.
        locations = take_out(settings["encoder"], (*DELIVERY_KEYS, "batch_size"))
    elif isinstance(encoder, TextEncoderSettings):
        locations = _take_out_locations(settings, encoder, fingerprint)
    return make_node("embeddings", settings, inputs, f"embeddings {side}", {"encoder": locations})


def _adaptation_node(encoder: EncoderSource, texts: Mapping[str, Node], fingerprint: Fingerprint) -> Node:
    """Settings: encoder (what decides the training), `files` as for embeddings."""
    assert isinstance(encoder, TextEncoderSettings)
    settings: dict[str, Any] = {"encoder": explicit_values(encoder)}
    take_out(settings["encoder"], ("reduce", "layers", "normalize"))
    locations = _take_out_locations(settings, encoder, fingerprint)
    # Noise gives texts to other entities; what is learnt of them stays the same.
    inputs = {role: text.inputs.get("text", text) for role, text in texts.items()}
    return make_node("adaptation", settings, inputs, "adaptation", {"encoder": locations})


def _take_out_locations(
    settings: dict[str, Any], encoder: TextEncoderSettings, fingerprint: Fingerprint
) -> dict[str, Any]:
    """Remove keys that change no vector; a model that lies here counts by its content, `files`."""
    locations = take_out(settings["encoder"], encoder.unhashed)
    if (weights := encoder.weights()) is not None:
        settings["files"] = [fingerprint(weights)]
        locations |= take_out(settings["encoder"], ("model",))
    return locations


def _index_settings(index: Index, side: str) -> dict[str, Any]:
    settings = index.model_dump(mode="json")
    keys = None if index.kind == AUTO else SEARCHERS.get(index.kind).keys
    if keys is not None:
        settings = {key: settings[key] for key in (*keys, "restrict_items_to")}
    if side == "users":
        del settings["restrict_items_to"]
    return settings


def take_out(settings: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Remove these keys from the settings and return them with their values."""
    return {key: settings.pop(key) for key in keys if key in settings}
