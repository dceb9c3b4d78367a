"""Yes or No about candidates: what is asked, what is read once, what tuning may see; with the real model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from calling import call
from safetensors.numpy import load_file
from small_shop import Shop, make, open_shop, title

from grasp_bench.core import hashing
from grasp_bench.core.errors import DataError, StoreError
from grasp_bench.data.artefacts import read_split, read_train
from grasp_bench.report.renderers.markdown import document_text
from grasp_bench.report.studies import read_findings
from grasp_bench.services.local_provider import writer_of
from grasp_bench.spec.dataset import Dataset
from grasp_bench.studies.instruction import measure, prompts
from grasp_bench.studies.instruction.measure import Protocol, measure_instruction
from grasp_bench.studies.instruction.packed import Reader, pack
from grasp_bench.studies.instruction.prompts import ENDING, Prompts, few_shot, held_out, read_likes
from grasp_bench.studies.instruction.tuning import Tuning, adapted, tune


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    made = open_shop(tmp_path_factory.mktemp("instructed") / "shop")
    make(made, made.plan, "split", "candidates")
    return made


@pytest.fixture(scope="module")
def reader() -> Reader:
    # The instance that the provider keeps, so that all test files load it once.
    return Reader("local/smollm2", writer_of("smollm2")._model, tuned_layers=2)


def path_of(shop: Shop, stage: str) -> Path:
    return shop.store.get(stage, shop.plan.cells[0].nodes[stage].hash).path


def shop_prompts() -> Prompts:
    """In the catalogue's own order of items, which is not that of the split: titles stand for numbers."""
    return Prompts([title(k) for k in range(24)], 3, None)


def told_before_last(sequence: np.ndarray) -> str:
    names = ", ".join(f'"{title(item)}"' for item in sequence[:-1][-3:].tolist())
    return prompts.CHOSEN.format(liked=names)


def test_examples_end_before_what_is_held_out(shop: Shop) -> None:
    train = read_train(path_of(shop, "split"))
    teachers = np.arange(10, 30)
    found = few_shot(train, shop_prompts(), teachers, 16, seed=1)
    assert (len(found.prefixes), found.candidates) == (8, 2)
    assert found.positive_UC.tolist() == [[True, False]] * 8
    for prefix, texts, (chosen, drawn) in zip(found.prefixes, found.targets, found.items_UC, strict=True):
        (user,) = [u for u in teachers if told_before_last(train.train_sequence(u)) == prefix]
        assert train.train_sequence(user)[-1] == chosen
        assert drawn not in train.train_sequence(user)
        assert texts[0].startswith(' "')
        assert texts[0].endswith(ENDING)
    more = few_shot(train, shop_prompts(), teachers, 32, seed=1)
    assert more.prefixes[:8] == found.prefixes
    assert few_shot(train, shop_prompts(), teachers, 16, seed=2).prefixes != found.prefixes
    with pytest.raises(DataError, match="40 examples can be drawn, 64 are wanted"):
        few_shot(train, shop_prompts(), teachers, 64, seed=1)


def test_held_out_questions_are_the_stored_candidates_after_the_known_history(shop: Shop) -> None:
    split = read_split(path_of(shop, "split"))
    negatives = load_file(path_of(shop, "candidates") / "test.safetensors")["negatives"]
    rows = np.array([2, 5])
    found = held_out(split, shop_prompts(), rows, negatives[:, :4])
    assert np.array_equal(found.items_UC, np.c_[split.test_items[rows], negatives[rows, :4]])
    assert found.positive_UC.tolist() == [[True, False, False, False, False]] * 2
    for prefix, user in zip(found.prefixes, split.test_users[rows].tolist(), strict=True):
        known = [*split.train_sequence(user), split.valid_items[user], split.test_items[user]]
        assert prefix == told_before_last(np.array(known))


def test_likes_are_told_apart(data_root: Path) -> None:
    dataset = Dataset(source=str(data_root / "movielens-small"))
    # Of user 1: item 804 was rated 4.0; of user 2, who rated 17 of 29 items above 3.5.
    raw = pl.read_csv(data_root / "movielens-small" / "interactions.csv").filter(pl.col("user_id") <= 2)
    users, items = ["1", "2"], [str(each) for each in raw["item_id"].unique()]
    liked = read_likes(dataset, users, items, above=3.5)
    assert len(liked) == raw.height
    wanted = {(u, i): r > 3.5 for u, i, r in raw.select("user_id", "item_id", "rating").iter_rows()}
    asked = Prompts(items, 9, liked)
    for (user, item), likes in wanted.items():
        assert asked.likes(user - 1, items.index(str(item))) is likes
    told = asked._prefix(1, [items.index("318"), items.index("333")])
    assert '\nLiked: "333"\nDisliked: "318"\n' in told
    with pytest.raises(DataError, match="no rating belongs to the split"):
        read_likes(dataset, ["nobody"], items, 3.5)


def plain(reader: Reader, text: str) -> float:
    """Yes less No after a text by one ordinary call of the library's model."""
    tokens = torch.tensor([reader.model.tokenizer(text, add_special_tokens=False)["input_ids"]])
    with torch.no_grad():
        last = reader.model.model(input_ids=tokens).logits[0, -1]
    return float(last[reader.yes] - last[reader.no])


def test_packed_scores_are_those_of_each_question_alone(shop: Shop, reader: Reader) -> None:
    split = read_split(path_of(shop, "split"))
    negatives = load_file(path_of(shop, "candidates") / "test.safetensors")["negatives"]
    asked = held_out(split, shop_prompts(), np.array([0, 1, 2]), negatives[:, :1])
    asked.prefixes[1] = asked.prefixes[1].replace("Chosen", "Chosen before anything else was")  # a longer one
    batches = reader.read_below(pack(reader.model.tokenizer, asked, rows=2))
    found = reader.scores(batches)
    whole = zip(asked.prefixes, asked.targets, strict=True)
    wanted = [[plain(reader, prefix + each) for each in own] for prefix, own in whole]
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    # Every history is read once: tokens of a row are those of the history and of each candidate.
    for packed, states in batches:
        for row, user in enumerate(packed.users):
            texts = [asked.prefixes[user], *asked.targets[user]]
            lengths = [len(each) for each in reader.model.tokenizer(texts)["input_ids"]]
            assert np.bincount(packed.blocks_BL[row] + 1)[1:].tolist() == lengths
        assert states.shape[:2] == packed.tokens_BL.shape


def test_tuning_learns_its_examples_and_leaves_the_model_as_it_was(shop: Shop, reader: Reader) -> None:
    train = read_train(path_of(shop, "split"))
    lesson = few_shot(train, shop_prompts(), np.arange(30), 8, seed=0)
    learnt = reader.read_below(pack(reader.model.tokenizer, lesson, 2))
    before = reader.scores(learnt)
    positive = torch.from_numpy(lesson.positive_UC)
    with adapted(reader, seed=0) as parameters:
        assert torch.equal(reader.scores(learnt), before)  # an adapter begins as nothing
        losses = tune(reader, parameters, learnt, positive, Tuning(epochs=8, lr=5e-3), seed=0)
        after = reader.scores(learnt)
    assert losses[-1] < 0.5 * losses[0]
    apart = [scores[positive].mean() - scores[~positive].mean() for scores in (before, after)]
    assert apart[1] > apart[0] + 0.1
    assert torch.equal(reader.scores(learnt), before)
    # Rank 8, and the inputs and outputs of q (576, 576) and v (576, 192) of two layers.
    assert sum(each.numel() for each in parameters) == 2 * 8 * (576 + 576 + 576 + 192)


QUICK = Protocol(examples=(2, 4), seeds=2, users=4, negatives=2, history=1, tuned_layers=1, tuning=Tuning(1))


def test_a_study(shop: Shop, reader: Reader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[str] = []
    for name in ("few_shot", "read_split"):
        real = getattr(measure, name)
        monkeypatch.setattr(measure, name, lambda *a, real=real, name=name: opened.append(name) or real(*a))
    found = measure_instruction(shop.plan, shop.store, QUICK, lambda line: None, reader.model)
    assert opened == ["few_shot", "few_shot", "read_split"]  # examples are drawn before test is opened
    named = {(each["label"], each["examples"]): each for each in found["methods"]}
    assert [len(named["tuned model", size]["aucs"]) for size in (2, 4)] == [2, 2]
    chance = named["random order", None]
    assert (chance["auc"]["mean"], chance["hr"]["mean"]) == (0.5, 1.0)  # ten of three
    gains = sum(1 / np.log2(rank + 1) for rank in range(1, 4)) / 3
    assert chance["ndcg"]["mean"] == pytest.approx(gains)
    assert found["negatives"] == 2
    assert all(each["auc"]["low"] <= each["auc"]["mean"] <= each["auc"]["high"] for each in found["methods"])
    hashing.write(tmp_path / "instruction.json", found)
    (read,) = read_findings(tmp_path)
    shown = document_text(read.study.document(read.found))
    assert "Test target among 2 stored negatives" in shown
    assert "may not be put on a board of full rankings" in shown


def test_what_cannot_be_measured(shop: Shop, reader: Reader, tmp_path: Path) -> None:
    bare = open_shop(tmp_path / "bare")
    with pytest.raises(StoreError, match="is not made yet"):
        measure_instruction(bare.plan, bare.store, QUICK, print, reader.model)
    with pytest.raises(DataError, match="need a model in this process"):
        measure_instruction(shop.plan, shop.store, Protocol(model="openai/x"), print)
    with pytest.raises(DataError, match="too few to evaluate 30"):
        measure_instruction(shop.plan, shop.store, Protocol(users=30), print, reader.model)
    wrong = call(tmp_path, "instruct", shop.spec, "--examples", "16,many")
    assert wrong.exit_code == 2
    assert "'16,many' is not of the form 16,64" in wrong.output
