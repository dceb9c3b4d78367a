"""`seeds` as a list, and as a mapping that adds seeds until the hypotheses are decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.spec.demo import load_demo
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.loading import load_text, resolved_values
from grasp_bench.spec.patches import apply_patch
from grasp_bench.spec.shape import json_schema

HEAD = "name: x\ndataset: {source: demo}\n"
ASKED = "compare: {model.enhancer: [none, grasp]}\nhypotheses: [{better: grasp, than: none}]\n"
UNTIL = "seeds: {from: 7, least: 2, most: 4, until: decided}\n"


def until_decided() -> Experiment:
    return load_text(HEAD + UNTIL + ASKED).experiment


def test_a_list_is_all_that_there_is() -> None:
    experiment = load_text(HEAD + "seeds: [3, 1]\n").experiment
    assert experiment.first_seeds == experiment.all_seeds == (3, 1)


def test_a_mapping_says_what_there_is_at_first_and_at_most() -> None:
    experiment = until_decided()
    assert (experiment.first_seeds, experiment.all_seeds) == ((7, 8), (7, 8, 9, 10))
    assert experiment.with_first_seeds().all_seeds == (7, 8)
    defaults = load_text(HEAD + ASKED + "seeds: {most: 5, until: decided}\n").experiment
    assert (defaults.first_seeds, defaults.all_seeds) == ((42, 43, 44), (42, 43, 44, 45, 46))


@pytest.mark.parametrize(
    ("seeds", "problem"),
    [
        ("[42, x]", "3:13 seeds[1]: expected a whole number, got the text 'x'"),
        (
            "3",
            "3:1 seeds: expected a list of seeds, such as [3], or a mapping with from, least, most and "
            "until; got 3",
        ),
        ("[]", "3:8 seeds: must not be empty"),
        ("[1, 1]", "3:1 seeds: seeds[1] repeats seeds[0]; 1 is given twice"),
        ("[-1]", "3:1 seeds: seeds must lie in [0, 2^31)"),
        ("{most: 5}", "3:1 seeds.until: required key is missing"),
        ("{until: decided}", "3:1 seeds.most: required key is missing"),
        ("{most: 5, until: 5}", "3:25 seeds.until: 5 is not one of decided"),
        ("{from: -1, most: 5, until: decided}", "3:15 seeds.from: must be at least 0, got -1"),
        ("{least: 1, most: 5, until: decided}", "3:16 seeds.least: must be at least 2, got 1"),
        ("{most: 3, until: decided}", "3:9 seeds.most: must be greater than least, which is 3"),
        ("{most: 51, until: decided}", "3:15 seeds.most: must be at most 50, got 51"),
        ("{most: 5, utnil: decided}", "3:18 seeds.utnil: unknown key; did you mean 'until'?"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(seeds: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_text(f"{HEAD}seeds: {seeds}\n{ASKED}", "x.yaml")
    assert any(line.startswith(f"x.yaml:{problem}") for line in caught.value.problems)


def test_without_hypotheses_there_is_nothing_to_decide() -> None:
    with pytest.raises(SpecError) as caught:
        load_text(HEAD + UNTIL, "x.yaml")
    assert caught.value.problems == [
        "x.yaml:3:44 seeds.until: there are no hypotheses to decide; declare some or give a list of seeds"
    ]


@pytest.mark.parametrize("written", ["", "seeds: [1]\n", UNTIL])
def test_either_form_may_be_set_over_the_other(written: str) -> None:
    text = HEAD + written + ASKED
    assert load_text(text, "x.yaml", ["seeds=[5, 6]"]).experiment.all_seeds == (5, 6)
    loaded = load_text(text, "x.yaml", ["seeds.from=1", "seeds.most=9", "seeds.until=decided"])
    assert loaded.experiment.all_seeds == tuple(range(1, 10))
    assert loaded.sources["seeds.most"] == "--set"


def test_patched_explained_and_in_the_schema() -> None:
    experiment = until_decided()
    assert apply_patch(experiment, {"model.max_len": 9}).all_seeds == (7, 8, 9, 10)
    assert apply_patch(experiment, {"seeds.most": 3}).all_seeds == (7, 8, 9)
    told = {key: value for key, value in resolved_values(experiment).items() if key.startswith("seeds")}
    assert told == {"seeds.from": 7, "seeds.least": 2, "seeds.most": 4, "seeds.until": "decided"}
    forms = json_schema()["properties"]["seeds"]["oneOf"]
    assert [form.get("type", form.get("$ref")) for form in forms] == ["array", "#/$defs/SeedsUntilDecided"]


def test_it_is_no_setting_of_a_cell() -> None:
    with pytest.raises(SpecError, match=r"compare.seeds.most: cannot vary"):
        load_text(HEAD + UNTIL + ASKED.replace("model.enhancer: [none, grasp]", "seeds.most: [3, 4]"))


def test_a_cell_is_counted_with_all_seeds_that_it_may_get() -> None:
    many = f"ablations:\n{''.join(f'  a{k}: {{model.max_len: {k + 2}}}' + chr(10) for k in range(2_500))}"
    with pytest.raises(SpecError, match=r"ablations: the spec has .* cells .*seeds 4"):
        load_text(HEAD + UNTIL + ASKED + many)


def test_a_rehearsal_has_the_first_seed_alone(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(HEAD + UNTIL + ASKED)
    assert load_demo(tmp_path / "x.yaml", []).experiment.all_seeds == (7,)
