"""Nodes of semantic IDs: who shares them, what changes them, and where their vectors come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grasp_bench.components import ENHANCERS, SEMANTIC_IDS
from grasp_bench.core.errors import SpecError
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import compile_plan
from grasp_bench.plan.nodes import Node
from grasp_bench.plan.sizes import Sizes
from grasp_bench.plan.work import work_of
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.loading import load

READING = [name for name in ENHANCERS if "item_codes" in ENHANCERS.get(name).reads]
METHOD_KEYS = {
    "rq_kmeans": {"kmeans_iterations"},
    "rqvae": {"latent_dim", "hidden", "epochs", "batch_size", "lr", "commitment"},
    "opq": {"kmeans_iterations", "rotations"},
    "flexcode": {
        "latent_dim",
        "hidden",
        "epochs",
        "batch_size",
        "lr",
        "commitment",
        "allocation",
        "router_hidden",
        "mask_temperature",
        "trusted_from",
        "align_codes",
        "align_codes_temperature",
        "smooth_codes",
    },
    "random": set(),
    "hash": set(),
}
SHARED_KEYS = {"method", "levels", "codebook_size", "collisions", "seed"}


def cells(**sections: Any) -> dict[str, Cell]:
    content = {"name": "t", "dataset": {"source": "demo"}, "controls": [], "model": {"enhancer": "rpg"}}
    plan = compile_plan(Experiment.model_validate({**content, **sections}), str)
    return {cell.slug: cell for cell in plan.cells}


def nodes(**sections: Any) -> dict[str, Node]:
    (cell,) = cells(**sections).values()
    return dict(cell.nodes)


def codes(**keys: Any) -> Node:
    return nodes(semantic_ids=keys)["item_codes"]


def changed(before: dict[str, Node], after: dict[str, Node]) -> set[str]:
    return {role for role, node in after.items() if before.get(role) != node}


MODEL = {"train", "rank", "metrics"}


@pytest.mark.parametrize("enhancer", READING)
def test_keys_that_are_left_out_are_those_of_the_published_method(enhancer: str) -> None:
    published = ENHANCERS.get(enhancer).semantic_ids
    settings = nodes(model={"enhancer": enhancer})["item_codes"].settings
    method = SEMANTIC_IDS.get(published["method"])
    defaults = {name: info.default for name, info in method.model_fields.items()}
    expected = {**defaults, **published, "seed": 42}  # of the training
    assert settings == {
        key: list(value) if isinstance(value, tuple) else value for key, value in expected.items()
    }


def test_rpg_is_published_with_32_levels_of_opq() -> None:
    settings = nodes()["item_codes"].settings
    said = (settings["method"], settings["levels"], settings["codebook_size"], settings["collisions"])
    assert said == ("opq", 32, 256, "keep")


@pytest.mark.parametrize("enhancer", READING)
def test_a_key_of_the_spec_holds_over_the_published_one(enhancer: str) -> None:
    given = {"method": "rqvae", "levels": 5, "collisions": "nearest_free", "epochs": 7}
    settings = nodes(model={"enhancer": enhancer}, semantic_ids=given)["item_codes"].settings
    assert {key: settings[key] for key in given} == given


@pytest.mark.parametrize("method", list(SEMANTIC_IDS))
def test_a_node_has_the_keys_that_its_method_reads_and_no_other(method: str) -> None:
    every_key = {"hidden": [9], "kmeans_iterations": 3, "rotations": 2, "lr": 0.1, "latent_dim": 4}
    found = codes(method=method, **every_key)
    assert set(found.settings) == SHARED_KEYS | METHOD_KEYS[method]
    for key in METHOD_KEYS[method] & set(every_key):
        assert found.settings[key] == every_key[key]


@pytest.mark.parametrize("method", list(SEMANTIC_IDS))
def test_keys_of_other_methods_change_nothing(method: str) -> None:
    others = {"hidden": [9], "kmeans_iterations": 3, "rotations": 2, "lr": 0.1, "commitment": 1.0}
    foreign = {key: value for key, value in others.items() if key not in METHOD_KEYS[method]}
    assert codes(method=method, **foreign) == codes(method=method)
    for key in METHOD_KEYS[method] & set(others):
        assert codes(method=method, **{key: others[key]}) != codes(method=method)


@pytest.mark.parametrize(
    "patch",
    [
        {"seed": 4}, {"levels": 6}, {"codebook_size": 16}, {"collisions": "extra_level"},
        {"rotations": 1}, {"method": "rq_kmeans"}, {"vectors": "neighbours"}, {"method": "random"},
    ],
    ids=str,
)  # fmt: skip
def test_a_key_changes_the_codes_and_what_reads_them_alone(patch: dict[str, Any]) -> None:
    before, after = nodes(), nodes(semantic_ids=patch)
    assert changed(before, after) - {"item_neighbours"} == {"item_codes"} | MODEL


@pytest.mark.parametrize(
    ("sections", "roles"),
    [
        ({"model": {"enhancer": "rpg", "code_temperature": 0.2}}, MODEL),
        ({"model": {"enhancer": "rpg", "embedding_dim": 16}}, MODEL),
        ({"model": {"enhancer": "rpg", "backbone": "gru4rec"}}, MODEL),
        ({"training": {"lr": 0.1}}, MODEL),
        ({"seeds": [7]}, {"item_codes"} | MODEL),
        ({"seeds": [7], "semantic_ids": {"seed": 42}}, MODEL),
        ({"seeds": [7], "semantic_ids": {"method": "hash"}}, {"item_codes"} | MODEL),
        ({"model": {"enhancer": "rpg", "context": "user"}}, {"user_text", "user_embeddings"} | MODEL),
        ({"training": {"loss": {"kind": "bce"}}}, set()),
        ({"training": {"loss": {"kind": "sampled_softmax", "negatives": 9}}}, set()),
        ({"index": {"num_neighbours": 3}}, set()),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
def test_what_is_no_matter_of_codes_leaves_them(sections: dict[str, Any], roles: set[str]) -> None:
    before = nodes(seeds=[42])
    assert changed(before, nodes(**{"seeds": [42], **sections})) == roles


def test_the_loss_counts_for_who_has_none_of_its_own() -> None:
    losses = [
        nodes(model={"enhancer": "none"}, training={"loss": {"kind": kind}})["train"]
        for kind in ("bce", "softmax")
    ]
    assert losses[0] != losses[1]
    assert "loss" not in nodes()["train"].settings["training"]


def test_the_section_is_nothing_to_who_reads_no_codes() -> None:
    plain, other = (
        nodes(model={"enhancer": "grasp"}, semantic_ids=keys) for keys in ({}, {"levels": 9, "seed": 2})
    )
    assert plain == other
    assert "item_codes" not in plain


def test_cells_of_one_making_share_the_node() -> None:
    found = cells(
        seeds=[1, 2],
        compare={"model.backbone": ["sasrec", "gru4rec"]},
        ablations={"warm": {"model.code_temperature": 0.3}, "eight": {"semantic_ids.levels": 8}},
    )
    made: dict[str, set[str]] = {}
    for slug, cell in found.items():
        made.setdefault(cell.nodes["item_codes"].hash, set()).add(slug)
    assert len(found) == 12
    assert sorted(len(slugs) for slugs in made.values()) == [2, 2, 4, 4]
    for slugs in made.values():
        assert len({slug[-2:] for slug in slugs}) == 1, "each seed of the training has its own codes"
        assert len({"eight" in slug for slug in slugs}) == 1


def test_codes_with_a_seed_or_without_luck_are_those_of_all_trainings() -> None:
    for keys in ({"seed": 3}, {"method": "hash"}):
        found = cells(seeds=[1, 2], semantic_ids=keys)
        assert len({cell.nodes["item_codes"].hash for cell in found.values()}) == 1
    found = cells(seeds=[1, 2], semantic_ids={"method": "random"})
    assert len({cell.nodes["item_codes"].hash for cell in found.values()}) == 2


def test_text_and_neighbours_of_items_are_all_that_untaught_vectors_take() -> None:
    text, neighbours = nodes(), nodes(semantic_ids={"vectors": "neighbours"})
    made = text["item_codes"].inputs
    assert made == {"split": text["split"], "item_embeddings": text["item_embeddings"]}
    assert neighbours["item_codes"].inputs == {
        "split": neighbours["split"], "item_neighbours": neighbours["item_neighbours"],
    }  # fmt: skip
    assert set(text["train"].inputs) == {"split", "candidates", "item_codes"}
    assert not any(role.startswith("user_") for role in (*text, *neighbours))


@pytest.mark.parametrize("vectors", ["text", "neighbours", "collaborative", "holistic"])
@pytest.mark.parametrize("method", ["random", "hash"])
def test_codes_without_vectors_take_the_split_alone(method: str, vectors: str) -> None:
    found = nodes(semantic_ids={"method": method, "vectors": vectors})
    assert found["item_codes"].inputs == {"split": found["split"]}
    assert set(found) == {"split", "candidates", "item_codes"} | MODEL
    assert found["item_codes"] == codes(method=method)


@pytest.mark.parametrize(("vectors", "enhancer"), [("collaborative", "none"), ("holistic", "grasp")])
@pytest.mark.parametrize("backbone", ["sasrec", "gru4rec"])
def test_vectors_that_are_trained_come_from_the_boards_own_cell(
    vectors: str, enhancer: str, backbone: str
) -> None:
    """SASRec, whatever backbone reads the codes, with the cell's other settings and its seed."""
    found = cells(
        seeds=[5, 6],
        model={"enhancer": "rpg", "embedding_dim": 16, "dropout": 0.1, "attention": "softmax"},
        training={"lr": 0.01},
        compare={"model.backbone": list({"sasrec": 0, backbone: 0}), "model.enhancer": [enhancer, "rpg"]},
        semantic_ids={"vectors": vectors},
    )
    for seed in (5, 6):
        taught = found[f"{backbone}-rpg-s{seed}"].nodes
        assert taught["item_codes"].inputs["train"] == found[f"sasrec-{enhancer}-s{seed}"].nodes["train"]
        assert taught["codes_teacher"] == taught["item_codes"].inputs["train"]
        assert taught["item_codes"].settings["vectors"] == vectors
        order = list(taught)
        assert order.index("codes_teacher") < order.index("item_codes") < order.index("train")
    first, second = (found[f"{backbone}-rpg-s{seed}"].nodes["item_codes"] for seed in (5, 6))
    assert first != second


def test_a_teacher_is_no_cell_of_the_board() -> None:
    found = cells(semantic_ids={"vectors": "holistic"})
    assert [slug.rsplit("-", 1)[0] for slug in found] == ["sasrec-rpg"]
    (cell,) = found.values()
    assert cell.nodes["codes_teacher"].settings["model"]["enhancer"] == "grasp"
    assert "for semantic IDs" in cell.nodes["codes_teacher"].label
    assert set(cell.nodes["item_codes"].inputs) == {
        "split", "train", *ENHANCERS.get("grasp").reads,
    }  # fmt: skip


def test_a_training_of_other_keys_gives_other_codes() -> None:
    """The teacher reads the loss, which the reader of its codes does not."""
    taught = {"vectors": "collaborative"}
    before = nodes(semantic_ids=taught)
    for sections in (
        {"training": {"loss": {"kind": "softmax"}}}, {"training": {"lr": 0.1}}, {"seeds": [3]},
        {"model": {"enhancer": "rpg", "embedding_dim": 16}},
    ):  # fmt: skip
        after = nodes(semantic_ids=taught, **sections)
        assert changed(before, after) == {"codes_teacher", "item_codes"} | MODEL
    again = nodes(semantic_ids=taught, model={"enhancer": "rpg", "code_temperature": 0.2})
    assert changed(before, again) == MODEL


@pytest.mark.parametrize("target", ["embeddings", "text"])
@pytest.mark.parametrize("vectors", ["text", "neighbours", "holistic"])
def test_noise_on_items_reaches_the_codes(vectors: str, target: str) -> None:
    noise = {"rates": [0, 0.3], "side": "items", "target": target}
    found = cells(seeds=[1], semantic_ids={"vectors": vectors}, noise=noise)
    clean, noisy = (dict(cell.nodes) for cell in found.values())
    assert noisy["item_codes"] != clean["item_codes"]
    stage = {"embeddings": "noise", "text": "text_noise"}[target]
    assert stage in [each.stage for each in noisy["item_codes"].ancestors()]
    assert stage not in [each.stage for each in clean["item_codes"].ancestors()]
    seeds = cells(seeds=[1, 2], semantic_ids={"vectors": vectors}, noise={**noise, "rates": [0.3]})
    assert len({cell.nodes["item_codes"].hash for cell in seeds.values()}) == 2


def test_means_of_neighbours_found_before_the_noise_are_not_hit() -> None:
    for vectors, number in (("neighbours", 1), ("text", 2)):
        noise = {"rates": [0, 0.3], "side": "items", "when": "after_retrieval"}
        assert len(cells(seeds=[1], semantic_ids={"vectors": vectors}, noise=noise)) == number


@pytest.mark.parametrize("keys", [{"vectors": "collaborative"}, {"method": "random"}, {"method": "hash"}])
def test_noise_is_nothing_to_codes_that_read_no_embedding(keys: dict[str, Any]) -> None:
    assert len(cells(seeds=[1], semantic_ids=keys, noise={"rates": [0, 0.3], "side": "items"})) == 1


def test_noise_on_users_reaches_codes_that_read_them_alone() -> None:
    noise = {"rates": [0, 0.3], "side": "users"}
    assert len(cells(seeds=[1], noise=noise)) == 1
    clean, noisy = cells(seeds=[1], noise=noise, semantic_ids={"vectors": "holistic"}).values()
    assert clean.nodes["item_codes"] != noisy.nodes["item_codes"]
    assert len(cells(seeds=[1], noise=noise, model={"enhancer": "rpg", "context": "user"})) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("method: opqq", "semantic_ids.method: the text 'opqq' .*did you mean 'opq'"),
        ("levles: 3", "semantic_ids.levles: unknown key; did you mean 'levels'"),
        ("levels: 0", "semantic_ids.levels"),
        ("levels: 200", "semantic_ids.levels"),
        ("codebook_size: 1", "semantic_ids.codebook_size"),
        ("vectors: images", "semantic_ids.vectors"),
        ("collisions: drop", "semantic_ids.collisions"),
        ("hidden: 12", "semantic_ids.hidden"),
        ("epochs: 0", "semantic_ids.epochs"),
    ],
)
def test_bad_keys_are_refused_where_they_stand(tmp_path: Path, line: str, message: str) -> None:
    spec = tmp_path / "x.yaml"
    spec.write_text(f"name: x\ndataset: {{source: demo}}\nsemantic_ids:\n  seed: 1\n  {line}\n")
    with pytest.raises(SpecError, match=rf"x\.yaml:5:\d+ {message}"):
        load(spec)


def test_controls_of_embeddings_stand_beside_methods_that_read_codes_of_them() -> None:
    asked = {"controls": ["item_knn", "popularity"]}
    assert set(cells(**asked)) == {"sasrec-rpg-s42", "item_knn", "popularity"}
    assert "item_knn" not in cells(**asked, semantic_ids={"method": "hash"})


def test_making_codes_takes_the_longer_the_more_is_learnt() -> None:
    sizes = Sizes(users=10, items=1000, interactions=100)
    seconds = {
        name: work_of(codes(**keys), sizes).each
        for name, keys in {
            "random": {"method": "random"}, "rqvae": {"method": "rqvae"},
            "short": {"method": "rqvae", "epochs": 30},
        }.items()
    }  # fmt: skip
    assert seconds["random"] < seconds["short"] < seconds["rqvae"]
    assert seconds["rqvae"] - seconds["random"] == pytest.approx(
        10 * (seconds["short"] - seconds["random"]), rel=0.1
    )


def test_codes_of_attention_read_users_whose_vectors_may_reveal_a_reordered_target(tmp_path: Path) -> None:
    """GRASP is trained for them on vectors that were made from the file's order."""
    spec = tmp_path / "t.yaml"
    told = """\
name: t
dataset: {source: demo, repair: {ascending_runs: shuffle}}
model: {enhancer: rpg}
encoder: {kind: precomputed, users: u.npy, items: i.npy%s}
semantic_ids: {vectors: %s}
"""
    for vectors, more in (("text", ""), ("collaborative", ""), ("holistic", ", leaks: mark")):
        spec.write_text(told % (more, vectors))
        load(spec)
    spec.write_text(told % ("", "holistic"))
    with pytest.raises(SpecError, match="made from the file's order"):
        load(spec)
