"""Labels and what a hypothesis is about."""

from __future__ import annotations

from grasp_bench.report.methods import Method, hypothesis_pairs, label_methods, method_of


def method(enhancer: str, **changes) -> Method:
    return method_of({"dataset": "d", "backbone": "sasrec", "enhancer": enhancer, **changes})


def test_labels_say_only_what_varies() -> None:
    plain, softmax = method("grasp"), method("grasp", ablation="softmax")
    assert label_methods([plain, softmax]) == {plain: "grasp", softmax: "grasp/softmax"}
    gru = method("grasp", backbone="gru4rec")
    assert label_methods([plain, gru]) == {plain: "sasrec+grasp", gru: "gru4rec+grasp"}


def test_labels_with_noise_variant_and_dataset() -> None:
    clean = method("grasp", variant={"index.num_neighbours": 5, "training.lr": 0.1})
    noisy = method("grasp", variant={"index.num_neighbours": 10, "training.lr": 0.1}, noise={"rate": 0.2})
    assert list(label_methods([clean, noisy]).values()) == [
        "grasp (num_neighbours=5)", "grasp (num_neighbours=10, noise=0.2)",
    ]  # fmt: skip
    here, there = method("none"), method("none", dataset="e")
    assert list(label_methods([here, there]).values()) == ["none (dataset=d)", "none (dataset=e)"]


def test_a_source_is_not_told_beside_its_dataset() -> None:
    d, e = (method("none", dataset=name, variant={"dataset.source": name}) for name in "de")
    assert list(label_methods([d, e]).values()) == ["none (dataset=d)", "none (dataset=e)"]


def test_a_compared_key_that_says_what_the_datasets_name_does_stands_for_it():
    key = "dataset.repair.ascending_runs"
    kept, shuffled = (
        method("none", dataset=name, variant={key: value})
        for name, value in (("d", "keep"), ("e", "shuffle"))
    )
    assert list(label_methods([kept, shuffled]).values()) == [
        "none (ascending_runs=keep)", "none (ascending_runs=shuffle)",
    ]  # fmt: skip
    other = method("none", dataset="f", variant={key: "shuffle"})
    assert label_methods([kept, shuffled, other])[other] == "none (ascending_runs=shuffle, dataset=f)"


def test_sources_of_one_name_are_told_apart():
    e = method("none", dataset="e", variant={"dataset.source": "e"})
    folders = [method("none", variant={"dataset.source": name}) for name in ("a/d", "b/d")]
    assert list(label_methods([*folders, e]).values()) == [
        "none (source=a/d, dataset=d)", "none (source=b/d, dataset=d)", "none (source=e, dataset=e)",
    ]  # fmt: skip


def test_who_notices_no_noise_is_not_named_by_it_and_meets_the_rate_that_is_asked_about() -> None:
    noise = {"kind": "permute", "side": "both"}
    alone, clean = method("none"), method("grasp")
    some, more = (method("grasp", noise={"rate": rate, **noise}) for rate in (0.2, 0.4))
    labels = label_methods([alone, clean, some, more])
    assert list(labels.values()) == ["none", "grasp (noise=0)", "grasp (noise=0.2)", "grasp (noise=0.4)"]
    assert hypothesis_pairs("grasp", "none", labels) == [(clean, alone)]
    assert hypothesis_pairs("grasp", "none", labels, noise=0.4) == [(more, alone)]
    assert hypothesis_pairs("grasp (noise=0.2)", "none", labels) == [(some, alone)]
    other = method("grasp", noise={"rate": 0.2, "kind": "gaussian", "side": "both"})
    labels = label_methods([alone, clean, some, other])
    assert labels[other] == "grasp (noise=0.2 gaussian+both)"
    pairs = [method("llmesr"), method("llmesr", noise={"rate": 0.2, **noise}), clean, some]
    labels = label_methods(pairs)
    assert hypothesis_pairs("grasp", "llmesr", labels) == [(clean, pairs[0])]
    assert hypothesis_pairs("grasp", "llmesr", labels, noise=0.2) == [(some, pairs[1])]


def test_keys_with_the_same_last_part_stay_whole() -> None:
    a, b = method("x", variant={"a.k": 1, "b.k": 2}), method("x", variant={"a.k": 2, "b.k": 1})
    assert list(label_methods([a, b]).values()) == ["x (a.k=1, b.k=2)", "x (a.k=2, b.k=1)"]


def test_a_short_name_is_asked_of_each_backbone() -> None:
    methods = [method(e, backbone=b) for e in ("none", "grasp") for b in ("sasrec", "gru4rec")]
    labels = label_methods(methods)
    pairs = [(labels[a], labels[b]) for a, b in hypothesis_pairs("grasp", "none", labels)]
    assert pairs == [("sasrec+grasp", "sasrec+none"), ("gru4rec+grasp", "gru4rec+none")]
    crossed = hypothesis_pairs("sasrec+grasp", "gru4rec+none", labels)
    assert [(labels[a], labels[b]) for a, b in crossed] == [("sasrec+grasp", "gru4rec+none")]
    assert hypothesis_pairs("grasp", "absent", labels) == []
    assert hypothesis_pairs("sasrec+grasp", "sasrec+grasp", labels) == []


def test_a_key_that_made_no_difference_to_one_side_agrees_with_every_value() -> None:
    few, many = (method("grasp", variant={"index.num_neighbours": n}) for n in (5, 10))
    labels = label_methods([method("none"), few, many])
    assert list(labels.values()) == ["none", "grasp (num_neighbours=5)", "grasp (num_neighbours=10)"]
    assert hypothesis_pairs("grasp", "none", labels) == [(few, method("none")), (many, method("none"))]
    gru = [method("none", backbone="gru4rec", variant={"training.lr": rate}) for rate in (1, 2)]
    slow = method("grasp", variant={"training.lr": 1}, backbone="gru4rec")
    labels = label_methods([*gru, slow, few, method("none")])
    assert hypothesis_pairs("grasp", "none", labels) == [(slow, gru[0]), (few, method("none"))]
