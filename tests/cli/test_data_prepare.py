"""`grasp-bench data list`, `data prepare`, `run --prepare` and `run --dataset demo`, as users call them."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from calling import call
from typer.testing import Result

from grasp_bench.spec.public_sets import FAMILIES, SINGLE_SETS

REVIEWS = [
    {"reviewerID": f"A{user}", "asin": f"B{(user + k) % 30}", "overall": 5.0, "unixReviewTime": k}
    for user in range(30)
    for k in range(4)
]
PRODUCTS = [{"asin": f"B{item}", "title": f"Thing number {item}"} for item in range(30)]
SPEC = """\
name: small
dataset: {source: amazon-fashion, min_item: 2, protocol: {split: leave_one_out, negatives: 5}}
model: {embedding_dim: 8, max_len: 10}
training: {max_epochs: 1}
"""
QUICK = ("--only", "sasrec-*", "--executor", "in_process", "--device", "cpu", "--log-format", "plain")
TOLD = SPEC.replace("model: {", "model: {enhancer: grasp, ")


def run(folder: Path, *arguments: str, **environment: str) -> Result:
    return call(folder, *arguments, **{"GRASP_BENCH_DATA": "", **environment})


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    for name, records in (("AMAZON_FASHION", REVIEWS), ("meta_AMAZON_FASHION", PRODUCTS)):
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"{name}.json.gz").write_bytes(gzip.compress(text.encode()))
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def mirror(raw: Path) -> Iterator[str]:
    """The standard library's server, which knows no Range and no ETag."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(raw))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_list_names_what_can_be_made(tmp_path: Path) -> None:
    done = run(tmp_path, "data", "list")
    assert done.exit_code == 0
    for public in (*SINGLE_SETS, *(family.pattern for family in FAMILIES)):
        assert f"{public.name}: " in done.stdout
        assert all(each.url in done.stdout for each in public.files)
        assert public.terms in done.stdout
    assert all(public.published_in_words in done.stdout for public in SINGLE_SETS)
    assert all(word in done.stdout for family in FAMILIES for word in family.members)
    assert max(map(len, done.stdout.splitlines())) < 240
    assert "by hand accept the terms" in done.stdout


def test_prepare_from_files_then_look_at_it(raw: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "data", "prepare", "amazon-fashion", "--raw", str(raw))
    assert done.exit_code == 0, done.stderr
    assert "data/amazon-fashion: 30 users, 30 items, 120 interactions" in done.stdout
    assert "NOT the published set, which has 9,094 users, 4,722 items" in done.stderr
    again = run(tmp_path, "data", "prepare", "amazon-fashion", "--raw", str(raw))
    assert "made before from the same files" in again.stdout
    card = run(tmp_path, "data", "card", "amazon-fashion", "--format", "json")  # ./data is looked into
    assert json.loads(card.stdout)["interactions"] == 120


def test_prepare_fetches_and_says_how_far_it_is(mirror: str, raw: Path, tmp_path: Path) -> None:
    name = "AMAZON_FASHION.json.gz"
    digest = hashlib.sha256((raw / name).read_bytes()).hexdigest()
    options = ("--url", mirror, "--to", "here", "--sha256", f"{name}={digest}")
    done = run(tmp_path, "data", "prepare", "amazon-fashion", *options)
    assert done.exit_code == 0, done.stderr
    assert f"fetch {name}  0.0 of 0.0 MB (100%)" in done.stderr
    assert "export GRASP_BENCH_DATA=here" in done.stdout
    assert (tmp_path / "here" / "raw" / name).is_file()


def test_prepare_says_what_can_be_compared(tmp_path: Path) -> None:
    table = "user_id,parent_asin,rating,timestamp\n" + "".join(f"u{k},i,5.0,{k}\n" for k in range(3))
    (tmp_path / "Books.csv").write_text(table)
    (tmp_path / "meta_Books.jsonl").write_text('{"parent_asin": "i", "title": "A book"}\n')
    done = run(tmp_path, "data", "prepare", "amazon-2023-Books", "--raw", ".")
    assert done.exit_code == 0, done.stderr
    assert "data/amazon-2023-Books: 3 users, 1 items, 3 interactions\n" in done.stdout
    assert "no published counts are known" in done.stdout
    (tmp_path / "loc-gowalla_totalCheckins.txt").write_text("0\t2010-10-19T23:55:27Z\t30.2\t-97.7\t22847\n")
    done = run(tmp_path, "data", "prepare", "gowalla", "--raw", ".")
    assert "NOT the published set, which has 107,092 users, 1,280,969 items" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["amazon-fasion"], 2, "did you mean 'amazon-fashion'?"),
        (["amazon-2023-Book"], 2, "did you mean 'amazon-2023-Books'?"),
        (["yelp"], 3, "is not downloaded here, for its terms do not allow that"),
        (["amazon-fashion", "--raw", "nowhere"], 3, "no such file or folder"),
        (["amazon-fashion", "--url", "http://127.0.0.1:9/"], 3, "cannot be reached"),
        (["amazon-fashion", "--url", "nonsense/"], 3, "an address begins with https://"),
        (["amazon-fashion", "--sha256", "x=1"], 1, "64 hexadecimal digits"),
    ],
)
def test_what_goes_wrong_is_said_in_lines(
    arguments: list[str], code: int, message: str, tmp_path: Path
) -> None:
    done = run(tmp_path, "data", "prepare", *arguments)
    assert (done.exit_code, "Traceback" in done.stderr) == (code, False)
    assert message in done.stderr


def test_a_raw_file_that_is_cut_short(raw: Path, tmp_path: Path) -> None:
    for path in raw.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[:-9])
    done = run(tmp_path, "data", "prepare", "amazon-fashion", "--raw", ".")
    assert (done.exit_code, "Traceback" in done.stderr) == (3, False)
    assert "AMAZON_FASHION.json.gz: the gzip file ends too early" in done.stderr


def test_run_without_data_says_how_to_get_them(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    done = run(tmp_path, "run", "small.yaml")
    assert (done.exit_code, "Traceback" in done.stderr) == (3, False)
    assert len(done.stderr.splitlines()) < 24
    assert "grasp-bench run SPEC --prepare" in done.stderr
    assert not (tmp_path / ".grasp_bench").exists() or not list((tmp_path / ".grasp_bench").glob("split/*"))


def test_run_prepare_fetches_prepares_and_runs(mirror: str, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    done = run(tmp_path, "run", "small.yaml", "--prepare", *QUICK, GRASP_BENCH_MIRROR=mirror)
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "data" / "amazon-fashion" / "items.csv").is_file()
    cell = json.loads((tmp_path / "results" / "small" / "sasrec-none-s42" / "cell.json").read_text())
    assert cell["dataset"] == "amazon-fashion"


def test_run_prepare_leaves_data_of_others_alone(mirror: str, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(TOLD)
    folder = tmp_path / "data" / "amazon-fashion"
    folder.mkdir(parents=True)
    (folder / "interactions.csv").write_text("user_id,item_id,position\nu,i,0\n")
    without = run(tmp_path, "run", "small.yaml")
    assert "has no items file beside it" in without.stderr
    done = run(tmp_path, "run", "small.yaml", "--prepare", GRASP_BENCH_MIRROR=mirror)
    assert done.exit_code == 3
    assert "was not made by `grasp-bench data prepare`; it is left as it is" in done.stderr


def test_a_rehearsal_is_marked_on_everything(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    planned = run(tmp_path, "plan", "small.yaml", "--dataset", "demo")
    assert planned.stdout.startswith("DEMO on a generated catalogue, not on amazon-fashion")
    done = run(tmp_path, "run", "small.yaml", "--dataset", "demo", *QUICK)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("small-demo\nDEMO on a generated catalogue")
    assert "DEMO" in done.stderr.splitlines()[-1]
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["small-demo"]
    cell = json.loads((tmp_path / "results" / "small-demo" / "sasrec-none-s42" / "cell.json").read_text())
    assert (cell["spec"], cell["dataset"]) == ("small-demo", "demo")
    boards = list((tmp_path / "leaderboard").iterdir())
    assert {path.stem for path in boards} == {"small-demo"}
    # Tables for LaTeX and spreadsheets have no room for a description; their name and columns tell.
    told = {path.suffix for path in boards if "DEMO" in path.read_text()}
    assert {".md", ".json"} <= told
    assert all("demo" in path.read_text() for path in boards)
