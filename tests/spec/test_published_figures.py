"""Published figures: read whole, named by file, line and key when wrong, and silent in every hash."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from grasp_bench.core.errors import SpecError
from grasp_bench.plan.compile import compile_plan
from grasp_bench.spec.loading import load

REPOSITORY = Path(__file__).resolve().parents[2]
GRASP = REPOSITORY / "specs" / "published" / "grasp.yaml"
SMALL = """\
source: {title: T, reference: R}
tables: {overall: Table 2, groups: Table 3, ablations: Table 4}
datasets:
  Toys: {users: 10, items: 5}
overall:
  Toys: {sasrec: {none: {NDCG@10: 12.5, HR@10: 20}}}
groups:
  Toys: {sasrec: {none: {tail_user: {NDCG@10: 1.5}}}}
ablations:
  Toys: {sasrec: {grasp: {softmax: {NDCG@10: 30}}}}
"""
SPEC = "name: x\ndataset: {source: demo}\n"
LINE = "published: {file: published/small.yaml, dataset: Toys}\n"


def write(folder: Path, figures: str = SMALL, line: str = LINE, spec: str = SPEC) -> Path:
    (folder / "published").mkdir(exist_ok=True)
    (folder / "published" / "small.yaml").write_text(figures, encoding="utf-8")
    (folder / "x.yaml").write_text(spec + line, encoding="utf-8")
    return folder / "x.yaml"


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(path, overrides)
    return [line.replace(f"{path.parent}/", "") for line in caught.value.problems]


def test_every_number_of_the_paper_is_there(tmp_path: Path) -> None:
    source = REPOSITORY.parent / "shared" / "paper" / "published.yaml"
    if not source.is_file():
        pytest.skip(f"{source} is missing")
    theirs = yaml.safe_load(source.read_text())
    ours = yaml.safe_load(GRASP.read_text())
    keys = ("dataset", "backbone", "method", "group", "variant")
    for table, home in (("table2_overall", "overall"), ("table3_groups", "groups")):
        left = {}
        for row in theirs[table]:
            where = tuple(row[key] for key in keys if key in row)
            left |= {(*where, name): value for name, value in row.items() if "@" in name}
        assert left == dict(_flat(ours[home]))
    ablations = {
        ("Beauty", "sasrec", "grasp", row["variant"], name): value
        for row in theirs["table4_ablation"] for name, value in row.items() if "@" in name
    }  # fmt: skip
    assert ablations == dict(_flat(ours["ablations"]))
    for name, facts in theirs["datasets"].items():
        added = ("note", "actual_users")
        assert facts == {key: value for key, value in ours["datasets"][name].items() if key not in added}
    said = theirs["protocol"]
    assert ours["seeds"] == said["seeds"]
    for key, value in ours["settings"].items():
        assert value == said[key.rpartition(".")[2]]
    assert ours["source"]["reference"] == theirs["source"]


def _flat(value, above=()):
    for key, entry in value.items():
        if isinstance(entry, dict):
            yield from _flat(entry, (*above, key))
        else:
            yield (*above, key), entry


@pytest.mark.parametrize("dataset", ["Beauty", "Fashion", "Industry-100K"])
def test_the_shipped_file_is_valid(tmp_path: Path, dataset: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"{SPEC}published: {{file: {GRASP}, dataset: {dataset}}}\n")
    loaded = load(path)
    rows = list(loaded.published.rows(dataset))
    assert len(rows) == 15 + 36 + (4 if dataset == "Beauty" else 0)


def test_rows_are_fractions_with_the_name_of_their_table(tmp_path: Path) -> None:
    published = load(write(tmp_path)).published
    rows = [(r.table, r.enhancer, r.ablation, r.group, dict(r.figures)) for r in published.rows("Toys")]
    assert rows == [
        ("Table 2", "none", None, "overall", {"NDCG@10": 0.125, "HR@10": 0.2}),
        ("Table 3", "none", None, "tail_user", {"NDCG@10": 0.015}),
        ("Table 4", "grasp", "softmax", "overall", {"NDCG@10": 0.3}),
    ]
    assert published.dataset_for("whatever") == "Toys"


ROWS = """\
datasets:
  Toys: {users: 10, items: 5}
rows:
  Toys:
    - {label: A, source: {title: T, reference: R}, ranking: full, backbone: sasrec, enhancer: none,
       figures: {HR@10: 20}}
    - {label: B, source: {title: U, reference: S}, ranking: sampled, loss: softmax, control: markov,
       figures: {HR@5: 4}}
    - {label: C, source: {title: U, reference: S}, ranking: full, figures: {HR@10: 5}}
"""


def test_rows_have_each_a_source_and_stand_beside_a_method_a_control_or_nothing(tmp_path: Path) -> None:
    published = load(write(tmp_path, ROWS)).published
    assert list(published.rows("Toys")) == []
    found = published.sourced("Toys")
    assert [
        (row["source"]["reference"], row["ranking"], row["loss"], row["enhancer"], row["control"])
        for row in found
    ] == [
        ("R", "full", None, "none", None), ("S", "sampled", "softmax", None, "markov"),
        ("S", "full", None, None, None),
    ]  # fmt: skip
    assert [row["figures"] for row in found] == [{"HR@10": 0.2}, {"HR@5": 0.04}, {"HR@10": 0.05}]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ranking: full", "ranking: whole",
         "5:61 rows.Toys[0].ranking: the text 'whole' is not one of full, sampled"),
        ("label: A, ", "", "5:7 rows.Toys[0].label: required key is missing"),
        ("label: A", "lable: A", "5:8 rows.Toys[0].lable: unknown key; did you mean 'label'?"),
        ("title: T", "titel: T", "5:27 rows.Toys[0].source.titel: unknown key; did you mean 'title'?"),
        ("HR@10: 20", "HR@10: 120", "6:25 rows.Toys[0].figures.HR@10: must be at most 100, got 120"),
        ("backbone: sasrec, ", "", "5:7 rows.Toys[0]: give both backbone and enhancer, or neither"),
        ("enhancer: none", "enhancer: tiger",
         "5:7 rows.Toys[0]: leave backbone out: tiger is a network of its own"),
        ("backbone: sasrec", "control: markov, backbone: sasrec",
         "5:7 rows.Toys[0]: give either backbone and enhancer, or control"),
        ("control: markov", "control: markof",
         "7:94 rows.Toys[1].control: the text 'markof' is not one of"),
        ("rows:\n  Toys", "rows:\n  Toyz",
         "4:3 rows.Toyz: no such dataset in datasets; did you mean 'Toys'?"),
        ("rows:", "overall: {Toys: {sasrec: {none: {HR@5: 1}}}}\nrows:",
         "3:1 overall: needs the source of its figures; give it in source"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    found = problems(write(tmp_path, ROWS.replace(old, new, 1)))
    assert any(line.startswith(f"published/small.yaml:{said}") for line in found), found


def test_the_rows_of_beauty_5core_are_valid(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        f"{SPEC}published: {{file: {GRASP.with_name('beauty_5core.yaml')}, dataset: Beauty 5-core}}\n"
    )
    rows = load(path).published.sourced("Beauty 5-core")
    assert {row["ranking"] for row in rows} == {"full"}
    assert sum((row["backbone"], row["enhancer"]) == ("sasrec", "none") for row in rows) == 5
    whole = [(row["label"], row["backbone"]) for row in rows if row["enhancer"] == "tiger"]
    assert whole == [("TIGER", None), *[("TIGER, reproduced", None)] * 2]
    named = [(row["label"], row["source"]["reference"]) for row in rows if not row["backbone"]]
    assert len(set(named)) == len(named)


def test_a_name_alone_and_an_override_count_from_the_spec(tmp_path: Path) -> None:
    path = write(tmp_path, line="published: {file: small, dataset: Toys}\n")
    assert load(path).published is not None
    assert load(path, ["published.file=published/small.yaml"]).published is not None


def test_a_path_counts_from_the_file_that_says_it(tmp_path: Path) -> None:
    base = tmp_path / "bases"
    base.mkdir()
    write(base)
    (tmp_path / "y.yaml").write_text("include: bases/x.yaml\nname: y\n")
    assert load(tmp_path / "y.yaml").published is not None


def test_no_hash_knows_of_it(tmp_path: Path) -> None:
    plain = tmp_path / "plain.yaml"
    plain.write_text(SPEC)
    plans = [compile_plan(load(path).experiment, str) for path in (plain, write(tmp_path))]
    assert [node.hash for node in plans[0].nodes] == [node.hash for node in plans[1].nodes]
    assert plans[0].cells[0].protocol_hash == plans[1].cells[0].protocol_hash


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("published: {file: published/smal.yaml, dataset: Toys}",
         "x.yaml:3:19 published.file: no file 'published/smal.yaml'; did you mean 'small.yaml'?"),
        ("published: {file: small, dataset: Toy}",
         "x.yaml:3:35 published.dataset: the text 'Toy' is not one of Toys; did you mean 'Toys'?"),
        ("published: {file: small, datasets: {demo: Tots}}",
         "x.yaml:3:43 published.datasets.demo: the text 'Tots' is not one of Toys; did you mean 'Toys'?"),
        ("published: {file: small}", "x.yaml:3:1 published: give either dataset or datasets"),
        ("published: {file: small, dataset: Toys, datasets: {demo: Toys}}",
         "x.yaml:3:1 published: give either dataset or datasets"),
        ("published: small", "x.yaml:3:12 published: expected a mapping, got the text 'small'"),
        ("published: {flie: small, dataset: Toys}",
         "x.yaml:3:13 published.flie: unknown key; did you mean 'file'?"),
    ],
)  # fmt: skip
def test_a_wrong_line_of_the_spec_is_named(tmp_path: Path, line: str, said: str) -> None:
    assert said in problems(write(tmp_path, line=line + "\n"))


def test_one_published_dataset_for_several_of_ours_is_refused(tmp_path: Path) -> None:
    compared = SPEC + "compare: {dataset.source: [demo]}\n"
    assert "map each to a published one in published.datasets" in problems(write(tmp_path, spec=compared))[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("12.5", "112.5", "6:35 overall.Toys.sasrec.none.NDCG@10: must be at most 100, got 112.5"),
        ("12.5", "'12.5'", "6:35 overall.Toys.sasrec.none.NDCG@10: expected a number, got the text '12.5'"),
        ("12.5", ".nan", "6:35 overall.Toys.sasrec.none.NDCG@10: "),
        ("NDCG@10: 12.5", "NDGC@10: 12.5", "6:26 overall.Toys.sasrec.none.NDGC@10: "),
        ("users: 10", "user: 10", "4:10 datasets.Toys.user: unknown key; did you mean 'users'?"),
        ("title: T", "titel: T", "1:10 source.titel: unknown key; did you mean 'title'?"),
        ("overall:\n", "overal:\n", "5:1 overal: unknown key; did you mean 'overall'?"),
        ("overall:\n  Toys", "overall:\n  Toyz", "6:3 overall.Toyz: no such dataset in datasets; did you"),
        ("tail_user", "tail_users", "8:26 groups.Toys.sasrec.none.tail_users: "),
        ("{NDCG@10: 1.5}", "{}", "8:37 groups.Toys.sasrec.none.tail_user: must not be empty"),
        ("source:", "source: [", "not valid YAML"),
        (SMALL, "", "1:1: expected a mapping"),
        (SMALL, "[]", "1:1: expected a mapping"),
        ("users: 10, items: 5", "users: 10", "4:3 datasets.Toys.items: required key is missing"),
    ],
)  # fmt: skip
def test_a_wrong_line_of_the_figures_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    found = problems(write(tmp_path, SMALL.replace(old, new, 1)))
    assert any(line.startswith("published/small.yaml:") and said in line for line in found), found


def test_the_whole_method_has_one_figure(tmp_path: Path) -> None:
    twice = SMALL.replace("{grasp: {softmax", "{none: {full: {NDCG@10: 12.5, HR@10: 21}, softmax")
    assert "full: differs from overall.Toys.sasrec.none" in problems(write(tmp_path, twice))[0]


def test_problems_of_spec_and_figures_are_told_together(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL.replace("12.5", "112.5"), spec=SPEC + "seeds: []\n")
    assert len(problems(path)) == 2
