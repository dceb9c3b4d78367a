"""Pairs explained, and those that are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from results_builder import Results, settings

from grasp_bench.core.errors import DataError, IncomparableError, MissingFileError, UnknownNameError
from grasp_bench.report.comparison_layout import in_words, lay_out_pair
from grasp_bench.report.comparison_pair import compare_pair
from grasp_bench.report.group_membership import write_membership
from grasp_bench.report.locate import find_results
from grasp_bench.report.renderers.terminal import render

RANKS = np.arange(1, 41)


def test_labels_differences_groups_and_seeds(toy) -> None:
    pair = compare_pair(toy.folder, "grasp", "none")
    full = pair["protocols"]["full"]
    assert list(pair["protocols"]) == ["full", "sampled"]
    assert full["test"]["difference"] > 0
    by_seed = [seed["first"] - seed["second"] for seed in full["seeds"]]
    assert np.mean(by_seed) == pytest.approx(full["test"]["difference"])
    ndcg = next(metric for metric in full["metrics"] if metric["metric"] == "NDCG@10")
    assert ndcg["difference"] == pytest.approx(full["test"]["difference"])
    assert [group["group"] for group in full["groups"]] == ["head_user"]
    assert ("model.enhancer", "grasp", "none") in pair["settings"]
    assert ("model.attention", "sigmoid", None) in pair["settings"]
    text = render({}, lay_out_pair(pair))
    assert "grasp is above none by" in text
    assert "users gain" in text
    json.dumps(pair, allow_nan=False)


def test_a_group_is_tested_as_a_study_of_its_users_alone(tmp_path) -> None:
    draws, heads = np.random.default_rng(5), Results(tmp_path / "heads")
    whole, even = Results(tmp_path / "whole"), np.arange(0, 200, 2)
    for seed in (1, 2, 3):
        for enhancer, top in (("none", 40), ("grasp", 30)):
            ranks, named = draws.integers(1, top, 200), {"seed": seed, "enhancer": enhancer}
            whole.cell(f"sasrec-{enhancer}-s{seed}", ranks, **named)
            heads.cell(f"sasrec-{enhancer}-s{seed}", ranks[::2], users=even, **named)
    write_membership(
        whole.folder, "p1", np.arange(200, dtype=np.int32), {"head_user": np.arange(200) % 2 == 0}
    )
    pair = compare_pair(whole.folder, "grasp", "none")
    group = pair["protocols"]["full"]["groups"][0]
    alone = compare_pair(heads.folder, "grasp", "none")["protocols"]["full"]["test"]
    for key in ("difference", "low", "high", "p"):
        assert group[key] == pytest.approx(alone[key], abs=1e-12)
    assert group["low"] < group["difference"] < group["high"]
    told = "By group, grasp against none: above in head users (p < 0.05, uncorrected and exploratory)."
    assert (group["p"] < 0.05) == (told in lay_out_pair(pair).sections[1].lines)
    once = compare_pair(whole.folder, "sasrec-grasp-s1", "sasrec-none-s1")
    assert once["protocols"]["full"]["groups"][0]["p"] is None
    assert not [line for line in lay_out_pair(once).sections[1].lines if line.startswith("By group")]


def test_a_group_that_gives_another_mean_is_refused(toy) -> None:
    for cell in toy.folder.glob("*/cell.json"):  # as published: the cell's own files are known
        cell.write_text(json.dumps(json.loads(cell.read_text()) | {"files": {}}))
    odd = np.arange(300) % 2 == 1
    for users in (300, 299):
        write_membership(toy.folder, "p1", np.arange(users, dtype=np.int32), {"head_user": odd[:users]})
        with pytest.raises(DataError, match="toy_spec: the users of head_user do not give"):
            compare_pair(toy.folder, "grasp", "none")


def test_slugs_are_one_training_and_a_label_all_of_its_own(toy) -> None:
    cells = compare_pair(toy.folder, "sasrec-grasp-s42", "sasrec-none-s42")
    mixed = compare_pair(toy.folder, "grasp", "sasrec-none-s42", "HR@5")
    assert (cells["first_seeds"], cells["second_seeds"], mixed["first_seeds"]) == ([42], [42], [42, 43, 44])
    assert "This speaks of these two trainings" in render({}, lay_out_pair(cells))
    assert mixed["metric"] == "HR@5"
    seeds = compare_pair(toy.folder, "sasrec-grasp-s42", "sasrec-grasp-s43")
    assert seeds["settings"] == []
    assert "42 against 43" in render({}, lay_out_pair(seeds))


def test_unknown_names_suggest(toy) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'grasp/softmax'"):
        compare_pair(toy.folder, "grasp/sofmax", "none")
    with pytest.raises(UnknownNameError, match="did you mean 'HR@10'"):
        compare_pair(toy.folder, "grasp", "none", "RH@10")


def test_the_same_twice_is_refused(toy) -> None:
    with pytest.raises(IncomparableError, match="are the same"):
        compare_pair(toy.folder, "grasp", "grasp")


def test_another_protocol_or_dataset_is_refused_with_the_reason(results) -> None:
    other = settings()
    other["protocol"] = {"ties": "mean", "negatives": 50}
    results.cell("a", RANKS)
    results.cell("b", RANKS, protocol_hash="p2", enhancer="grasp", settings=other)
    results.cell("c", RANKS, protocol_hash="p3", dataset="fashion")
    results.cell("d", RANKS, protocol_hash="p4")
    for second, reason in (
        ("b", "negatives 100 here, 50 there"),
        ("c", "another dataset than fashion"),
        ("d", "p4"),
    ):
        with pytest.raises(IncomparableError, match=reason) as caught:
            compare_pair(results.folder, "a", second)
        assert caught.value.exit_code == 2


def test_what_is_left_out_or_unfinished_is_refused(results) -> None:
    results.cell("a", RANKS)
    results.cell("b", RANKS, enhancer="grasp")
    results.planned[1]["hash"] = "changed"
    results.study()
    with pytest.raises(IncomparableError, match="out of date"):
        compare_pair(results.folder, "b", "a")
    with pytest.raises(IncomparableError, match="grasp has no finished cell"):
        compare_pair(results.folder, "grasp", "none")


def test_a_name_of_several_methods_lists_them(results) -> None:
    results.cell("a", RANKS)
    results.cell("b", RANKS, backbone="gru4rec")
    with pytest.raises(UnknownNameError, match="fits several") as caught:
        compare_pair(results.folder, "none", "a")
    assert "gru4rec+none" in caught.value.hint


def test_no_ranking_in_common(results) -> None:
    results.cell("a", RANKS, protocols=("full",))
    results.cell("b", RANKS, protocols=("sampled",), enhancer="grasp")
    with pytest.raises(IncomparableError, match="no ranking in common"):
        compare_pair(results.folder, "a", "b")


def test_words_when_nobody_differs_and_when_chance_may_be_the_reason(results) -> None:
    results.cell("a", RANKS)
    results.cell("b", RANKS, enhancer="grasp")
    same = compare_pair(results.folder, "a", "b")["protocols"]["full"]["test"]
    assert in_words("a", "b", "NDCG@10", same) == ["No user differs in NDCG@10 between a and b."]
    odd = same | {"gained": 3, "lost": 1, "difference": 0.01, "p": 0.2}
    words = in_words("a", "b", "NDCG@10", odd)
    assert words[0].startswith("a is above b by 1.00 points")
    assert "a possible reason" in words[1]
    assert "with probability 0.500" in words[2]


def test_results_are_found_by_name_file_or_folder(toy, tmp_path) -> None:
    root = toy.folder.parent
    spec = tmp_path / "whatever.yaml"
    spec.write_text("name: toy_spec\n")
    for word in (None, "toy_spec", str(spec), str(toy.folder)):
        assert find_results(word, root).name == "toy_spec"
    with pytest.raises(UnknownNameError, match="did you mean 'toy_spec'"):
        find_results("toy_sepc", root)
    with pytest.raises(MissingFileError):
        find_results("toy_spec", tmp_path / "none")
    with pytest.raises(MissingFileError):
        find_results(None, tmp_path / "none")
    with pytest.raises(MissingFileError):
        find_results("absent.yaml", root)
    spec.write_text("- 1\n")
    with pytest.raises(DataError, match="has no name"):
        find_results(str(spec), root)
    (root / "second" / "x").mkdir(parents=True)
    (root / "second" / "x" / "cell.json").write_text("{}")
    with pytest.raises(UnknownNameError, match="several specs"):
        find_results(None, root)
