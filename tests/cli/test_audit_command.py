"""`grasp-bench audit` from a file to a page: untrained controls alone, so that it takes seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import call
from typer.testing import Result

SPEC = """\
name: shop
dataset: {source: shop, protocol: {negatives: 5}}
model: {embedding_dim: 8, max_len: 8}
training: {max_epochs: 1}
controls: [popularity, markov]
hypotheses: [{better: markov, than: popularity}]
"""
QUICK = ("--executor", "in_process", "--device", "cpu")


def audit(folder: Path, *arguments: str) -> Result:
    return call(folder, "audit", "shop.yaml", *QUICK, *arguments)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop").mkdir()
    rows = [f"u{user},i{(user * 7 + k) % 20},{k}" for user in range(50) for k in range(5)]
    (folder / "shop" / "interactions.csv").write_text("user_id,item_id,position\n" + "\n".join(rows) + "\n")
    (folder / "shop.yaml").write_text(SPEC)
    return folder


def test_the_answer_is_printed_written_and_rendered(shop: Path) -> None:
    done = audit(shop, "--log-format", "plain")
    assert done.exit_code == 0, done.stderr
    assert "markov > popularity survives." in done.stdout
    assert "whole audit: leaderboard/shop.audit.md, results/shop/audit.json" in done.stderr
    page = (shop / "leaderboard" / "shop.audit.md").read_text()
    assert "## Each hazard alone" in page
    again = audit(shop, "--format", "json")
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout) == json.loads((shop / "results" / "shop" / "audit.json").read_text())
    # Each protocol has an ordinary board of its own.
    shown = call(shop, "leaderboard", "results/shop/paper")
    assert "sampled ranking by NDCG@10" in shown.stdout, shown.stderr


def test_what_cannot_be_audited_is_said_without_traceback(shop: Path) -> None:
    for setting, code, message in (
        ("dataset.protocol.split=temporal", 2, "contradicts protocol"),
        ("hypotheses=[{better: markow, than: popularity}]", 2, "did you mean 'markov'?"),
        ("dataset.source=nowhere", 3, "nowhere"),
    ):
        done = audit(shop, "--set", setting)
        assert (done.exit_code, message in done.stderr) == (code, True), done.stderr
        assert "Traceback" not in done.stderr
