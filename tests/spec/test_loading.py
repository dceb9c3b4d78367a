"""All problems at once, each at the line and column that the reader of the file would point at."""

from __future__ import annotations

from pathlib import Path

import pytest

from grasp_bench.core.errors import MissingFileError, SpecError
from grasp_bench.spec.loading import load, load_text

MINIMAL = "name: x\ndataset: {source: demo}\n"


def marked(text: str) -> tuple[str, list[str]]:
    """Take the marks ‹ out of a text and say, as line:column, where they stood."""
    places = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        while "‹" in line:
            places.append(f"{number + 1}:{line.index('‹') + 1}")
            line = line.replace("‹", "", 1)
        lines[number] = line
    return "\n".join(lines), places


def problems_of(text: str, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_text(text, "specs/x.yaml", overrides)
    return caught.value.problems


EVERYTHING_WRONG = """\
‹nmae: x
dataset:
  source: demo
  min_user: ‹2
  protocol: {negatives: ‹yes, cutofs‹: [1], ties: ‹avg}
text:
  users: {provider: ‹templat}
  items: {provider: litellm, ‹modle: gpt}
encoder: {kind: precomputed, users: a.parquet, ‹itms: b.parquet}
index: {kind: hnsw, m: ‹1.5, ‹num_neigbours: 10, seed: ‹.nan}
model: {backbone: ‹sasrek, embedding_dim: ‹true}
training: {lr: ‹0, monitor: ‹accuracy}
seeds: [1, ‹two]
compare:
  model.enhancer: [none, ‹gras]
  ‹modle.attention: [softmax]
ablations:
  no_similar: {‹model.simlar: false}
  soft: {model.attention: ‹3}
  fixed: {‹seeds: [1]}
noise: {rates: ‹0.1}
tuning: {trials: 5, space: {index.num_neighbours: [1, ‹5000], model.max_len: ‹[9, 3]}}
hypotheses: [{better: grasp, ‹then: none}]
num_neighbours‹: 3
"""


def test_all_problems_at_once_in_file_order() -> None:
    # A mark inside a word stands for the word's beginning in flow style, where it would read badly.
    text, places = marked(
        EVERYTHING_WRONG.replace("cutofs‹", "‹cutofs").replace("num_neighbours‹", "‹num_neighbours")
    )
    problems = problems_of(text)
    # Beside the marked: what is missing, told at the nearest thing that is there.
    missing = {
        "1:1": "name: required key is missing",
        "8:3": "text.items.model: required key is missing",
        "9:1": "encoder.items: required key is missing",
        "23:14": "hypotheses[0].than: required key is missing",
    }
    for place, message in missing.items():
        assert f"specs/x.yaml:{place} {message}" in problems
    others = [line for line in problems if "required key is missing" not in line]
    assert [line.split()[0].removeprefix("specs/x.yaml:") for line in others] == places
    positions = [tuple(map(int, line.split()[0].split(":")[1:3])) for line in problems]
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("index: {num_neigbours: 3}", "3:9 index.num_neigbours: unknown key; did you mean 'num_neighbours'?"),
        ("num_neighbours: 3", "3:1 num_neighbours: unknown key; did you mean 'index.num_neighbours'?"),
        ("modle: {}", "3:1 modle: unknown key; did you mean 'model'?"),
        (
            "noise: {zzz: 1}",
            "3:9 noise.zzz: unknown key; known here: target, kind, side, when, strength, rates",
        ),
        ("model: {self_part: false}", "3:9 model.self_part: unknown key"),
        (
            "model: {attention: sigm}",
            "3:20 model.attention: the text 'sigm' is not one of sigmoid, softmax, none; did you mean",
        ),
        (
            "encoder: {kind: openai}",
            "3:17 encoder.kind: the text 'openai' is not one of sentence_transformers, causal_lm",
        ),
        (
            "encoder: {model: a}",
            "3:1 encoder: 'kind' is missing; choose one of sentence_transformers, causal_lm",
        ),
        ("training: {patience: true}", "3:22 training.patience: expected a whole number, got true"),
        ("training: {patience: '3'}", "3:22 training.patience: expected a whole number, got the text '3'"),
        ("training: {patience: 0}", "3:22 training.patience: must be at least 1, got 0"),
        ("model: {dropout: 1}", "3:18 model.dropout: must be less than 1, got 1"),
        ("model: {causal: no}", "3:17 model.causal: expected true or false, got the text 'no'"),
        ("model: sasrec", "3:8 model: expected a mapping, got the text 'sasrec'"),
        ("model:", "3:7 model: expected a mapping, got nothing"),
        (
            "seeds: 42",
            "3:1 seeds: expected a list of seeds, such as [42], or a mapping with from, least, most and "
            "until; got 42",
        ),
        ("seeds: []", "3:8 seeds: must not be empty"),
        ("seeds: [1, 1]", "3:1 seeds: seeds[1] repeats seeds[0]; 1 is given twice"),
        ("model: {heads: 3}", "3:1 model: embedding_dim 64 is not divisible by heads 3"),
        (
            "training: {monitor: HR@7}",
            "1:1: training.monitor HR@7 is not among dataset.protocol.cutoffs",
        ),
        ("ablations: [a]", "3:12 ablations: expected a mapping, got a list"),
        ("ablations: {a: softmax}", "3:16 ablations.a: expected a mapping, got the text 'softmax'"),
        ("include: base.yaml", "3:1 include: only a spec in a file can include others"),
    ],
)
def test_wording(line: str, expected: str) -> None:
    (problem,) = problems_of(MINIMAL + line)
    assert problem.startswith(f"specs/x.yaml:{expected}")


def test_a_name_that_is_no_folder_name() -> None:
    (problem,) = problems_of("name: ../up\ndataset: {source: demo}")
    assert problem.startswith("specs/x.yaml:1:7 name: the text '../up' does not match ")


def test_overrides_win_and_are_named() -> None:
    loaded = load_text(MINIMAL + "training: {lr: 0.1}", "x.yaml", ["training.lr=1e-4", "seeds=[1, 2]"])
    assert loaded.experiment.training.lr == 1e-4
    assert loaded.experiment.seeds == (1, 2)
    assert loaded.sources["training.lr"] == loaded.sources["seeds"] == "--set"
    assert loaded.values["training"] == {"lr": 1e-4}


def test_the_later_override_of_a_key_wins() -> None:
    assert load_text(MINIMAL, "x.yaml", ["seeds=[1]", "seeds=[2]"]).experiment.seeds == (2,)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.lr", "--set: 'training.lr' is not of the form key=value"),
        ("=3", "--set: '=3' is not of the form key=value"),
        ("training.rl=1", "--set training.rl: unknown key; did you mean 'training.lr'?"),
        ("traning.lr=1", "--set traning.lr: unknown key; did you mean 'training.lr'?"),
        ("training.lr.x=1", "--set training.lr.x: 'training.lr' is a value, with no keys below it"),
        (
            "dataset.protocol.negatives=65536",
            "--set dataset.protocol.negatives: must be at most 65535, got 65536",
        ),
        (
            "dataset.protocol.cutoffs=[10, 1001]",
            "--set dataset.protocol.cutoffs[1]: must be at most 1000, got 1001",
        ),
        (
            "dataset.protocol.cutoffs=[0, 10]",
            "--set dataset.protocol.cutoffs[0]: must be at least 1, got 0",
        ),
        ("training.lr=-1", "--set training.lr: must be greater than 0, got -1"),
        ("training.lr=[1", "--set training.lr: not valid YAML: "),
        ("training.lr=!!x 1", "--set training.lr: tag tag:yaml.org,2002:x is not allowed"),
        ("training..lr=1", "--set training..lr: unknown key"),
    ],
)
def test_wrong_overrides(override: str, expected: str) -> None:
    (problem,) = problems_of(MINIMAL, override)
    assert problem.startswith(expected)


def test_overrides_reach_sections_that_the_file_leaves_out() -> None:
    overrides = ["noise.kind=dropout", "text.users.max_items=5", "encoder.dtype=float32"]
    experiment = load_text(MINIMAL, "x.yaml", overrides).experiment
    assert experiment.noise is not None
    assert experiment.noise.kind == "dropout"
    assert experiment.text.users.provider == "template"
    assert experiment.text.users.max_items == 5
    assert experiment.encoder.kind == "sentence_transformers"


def test_an_override_switches_a_variant_whatever_the_order() -> None:
    text = MINIMAL + "encoder: {kind: sentence_transformers, model: other}"
    overrides = ["encoder.users=a.npy", "encoder.kind=precomputed", "encoder.items=b.npy"]
    encoder = load_text(text, "x.yaml", overrides).experiment.encoder
    assert encoder.kind == "precomputed"
    assert (encoder.users, encoder.items) == ("a.npy", "b.npy")


def test_overrides_into_free_mappings() -> None:
    overrides = [
        "compare.model.enhancer=[none, grasp]",
        "ablations.soft={model.attention: softmax}",
        "ablations.deep.model.mlp_depth=3",
    ]
    experiment = load_text(MINIMAL, "x.yaml", overrides).experiment
    assert experiment.compare == {"model.enhancer": ("none", "grasp")}
    assert experiment.ablations == {"soft": {"model.attention": "softmax"}, "deep": {"model.mlp_depth": 3}}


def test_missing_file_and_folder(tmp_path: Path) -> None:
    (tmp_path / "beauty.yaml").write_text(MINIMAL)
    with pytest.raises(MissingFileError, match=r"no such file; did you mean 'beauty.yaml'\?"):
        load(tmp_path / "beuty.yaml")
    with pytest.raises(MissingFileError, match="a folder, not a spec file"):
        load(tmp_path)
    with pytest.raises(MissingFileError, match="no such file"):
        load(tmp_path / "nowhere" / "x.yaml")


def test_unicode_is_counted_in_characters() -> None:
    (problem,) = problems_of(MINIMAL + "model: {'é漢🙂': 1}")
    assert problem.startswith("specs/x.yaml:3:9 model.é漢🙂: unknown key")
    (problem,) = problems_of(MINIMAL + "ablations: {'é漢🙂': {model.heads: x}}")
    assert problem.startswith("specs/x.yaml:3:34 ablations.é漢🙂.model.heads: expected")


def test_the_example_of_the_design_reads() -> None:
    text = """
name: fashion_ablation
dataset:   {source: amazon-fashion, min_user: 3, min_item: 2, protocol: {split: leave_one_out, negatives: 100, ties: mean, also_full_ranking: true}}
text:      {users: {provider: template}, items: {provider: litellm, model: openai/gpt-4o-mini, max_cost_usd: 5}}
encoder:   {kind: sentence_transformers, model: all-MiniLM-L6-v2}
index:     {kind: hnsw, m: 32, ef_construction: 200, ef_search: 128, num_neighbours: 10}
model:     {backbone: sasrec, enhancer: grasp, embedding_dim: 64, max_len: 100}
training:  {batch_size: 128, lr: 1e-3, patience: 20, max_epochs: 200}
seeds:     [42, 43, 44]
compare:   {model.enhancer: [none, grasp]}
ablations: {softmax: {model.attention: softmax}, no_similar: {model.similar: false}, no_global: {model.global: false}, no_attention: {model.attention: none}}
noise:     {target: embeddings, kind: gaussian, rates: [0.0, 0.1, 0.2, 0.4]}
tuning:    {sampler: tpe, trials: 30, space: {index.num_neighbours: [1, 50], model.embedding_dim: [16, 32, 64, 128]}}
hypotheses: [{better: grasp, than: none, metric: NDCG@10, protocol: full}]
"""  # noqa: E501
    experiment = load_text(text).experiment
    assert experiment.training.lr == 1e-3
    assert experiment.text.items.provider == "litellm"
    assert experiment.ablations["no_global"] == {"model.global": False}
    assert experiment.noise is not None
    assert experiment.noise.rates == (0.0, 0.1, 0.2, 0.4)
