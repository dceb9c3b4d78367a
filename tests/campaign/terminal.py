"""Run commands on hostile names, and look at every byte that reaches a terminal, a pipe, or nobody.

Ids, titles, answers of a model, errors of a service, names of a spec and of stored results hold escape
sequences, bells, returns, bidi overrides and line feeds. Checked: nothing of them is sent, no line is forged,
JSON keeps its values, no traceback shows, and the exit code is the command's own; over four encodings, on
terminals and in pipes, with streams that are closed, full, or left by their reader.

    python -m tests.campaign.terminal --seed 7 --names 2
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from llm_server.launch import Running, launch
from llm_server.settings import Fault
from on_terminal import on_terminal
from results_builder import three_methods

REPOSITORY = Path(__file__).resolve().parent.parent.parent
ENCODINGS = ("utf-8", "latin-1", "ascii", "cp1252")
FORGED = "FORGED"
PIECES = (
    "\x1b]52;c;Zm9vbA==\x07", "\x1b]8;;http://evil.example\x1b\\", "\x1b]0;owned\x07", "\x1b[2J", "\x1bc",
    "\x1b[5;35m", "\x9b5;35m", "\x9d52;c;Zm9v\x9c", "\x07", "\x08\x08", "\r", "\x7f", "\x0b", "\x0c", "\x85",
    "\u2028", "\u202e", "\u2066", "\u2069", "\ufffe", f"\n{FORGED} done", "[/bold]", "[link=http://evil]x[/]",
    ":bomb:", "\\", "<img src=x>", "|", "日本", "Ünïcode", "🎸", "…≈±", "%s{0}",
)  # fmt: skip
NEVER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
# What rich makes for itself: colours (it never blinks, 5), the cursor shown, hidden, raised, a line cleared.
OURS = re.compile(r"\x1b\[(?!5[;m])[0-9;]*m|\x1b\[\?25[lh]|\x1b\[\d*A|\x1b\[[12]?K")
BROKEN = ("Traceback (most recent", "Exception ignored", "panicked at", "lost sys.std", "Fatal Python")
READER_GONE, DISK_FULL = 141, 5
TIMEOUT = 300


@dataclass(frozen=True)
class Case:
    """A command, its exit code, and how its stdout is judged: "json" keeps `kept`, "rows" may hold lines."""

    name: str
    arguments: Sequence[str]
    code: int = 0
    kind: str = "text"
    kept: str = ""


@dataclass(frozen=True)
class Arrived:
    """What a command left behind; on a terminal both streams are one."""

    code: int
    out: bytes
    err: bytes = b""
    terminal: bool = False


Deliver = Callable[[Sequence[str], Path, Mapping[str, str]], Arrived]


def name_of(draw: random.Random) -> str:
    """A hostile name; YAML, Parquet and JSON can hold it, and so can a command line."""
    pieces = draw.sample(PIECES, 7)
    return f"n{draw.randrange(1000)}" + "".join(f"{piece}{draw.choice('abc')}" for piece in pieces)


# --- what there is to speak of -----------------------------------------------------------------------------


def write_results(folder: Path, name: str) -> None:
    """Stored results whose ablation, dataset, description and hypotheses are hostile."""
    results = three_methods(folder / "results" / "toy")
    for cell in results.folder.glob("*/cell.json"):
        told = json.loads(cell.read_text())
        told |= {"dataset": name, "machine": name}
        if told["ablation"]:
            told["ablation"] = name
        cell.write_text(json.dumps(told))
    for identity in results.planned:
        identity["dataset"] = name
        if identity["ablation"]:
            identity["ablation"] = name
    results.study(
        description=name,
        hypotheses=[{"better": f"grasp/{name}", "than": "none", "metric": "NDCG@10", "protocol": "full"}],
        cards={name: {"users": 300, "lengths": {"mean": 8.5}}},
    )


def write_shop(folder: Path, draw: random.Random, server: Running) -> None:
    """Twelve users and items with hostile ids and titles; a spec whose texts a server writes."""
    data = folder / "shop"
    data.mkdir()
    users, items = ([f"{side}{k} {name_of(draw)}" for k in range(12)] for side in "ui")
    clicks = [(user, item, t) for user in users for t, item in enumerate(draw.sample(items, 6))]
    columns = ["user_id", "item_id", "timestamp"]
    pl.DataFrame(clicks, schema=columns, orient="row").write_parquet(data / "interactions.parquet")
    titles = {"item_id": items, "title": [name_of(draw) for _ in items], name_of(draw): ["x"] * len(items)}
    pl.DataFrame(titles).write_parquet(data / "items.parquet")
    service = {
        "api_base": server.address, "concurrency": 1, "timeout_seconds": 5, "max_attempts": 1,
        "max_tokens_total": 10**6,
    }  # fmt: skip
    spec = {
        "name": "shop",
        "dataset": {"source": str(data), "protocol": {"negatives": 3}},
        "text": {
            side: {"provider": "litellm", "model": "openai/test", **service} for side in ("users", "items")
        },
        "encoder": {"kind": "litellm", "model": "openai/test-vectors", "dimensions": 8, **service},
        "index": {"kind": "exact", "num_neighbours": 3},
        "model": {"enhancer": "grasp", "embedding_dim": 8, "max_len": 10},
        "training": {"max_epochs": 1},
        "controls": [],
    }
    (folder / "shop.yaml").write_text(yaml.safe_dump(spec))


def write_specs(folder: Path, name: str) -> None:
    """Specs that are wrong in hostile words."""
    minimal = {"name": "wrong", "dataset": {"source": "demo"}}
    wrong: dict[str, dict[str, Any]] = {
        "key": {name: 1, "model": {name: name}},
        "value": {"model": {"enhancer": name}, "seeds": [name]},
        "name": {"name": name},
        "source": {"dataset": {"source": name}},
    }
    for kind, change in wrong.items():
        (folder / f"wrong_{kind}.yaml").write_text(yaml.safe_dump(minimal | change))
    (folder / "torn.yaml").write_text(f"name: [{name}", errors="surrogateescape")


def quick_cases(name: str) -> list[Case]:
    """Commands that import no torch."""
    toy = ["--results", "results"]
    formats = [
        Case(f"leaderboard {kind}", ["leaderboard", "toy", *toy, "--format", kind], kind=judged, kept=name)
        for kind, judged in {
            "rich": "text", "md": "text", "latex": "text", "json": "json",
            **dict.fromkeys(("csv", "html", "svg"), "rows"),
        }.items()
    ]  # fmt: skip
    return [
        *formats,
        Case("compare", ["compare", "grasp", "none", "--spec", "toy", *toy]),
        Case("compare json", ["compare", f"grasp/{name}", "none", "--spec", "toy", *toy, "--format", "json"],
             kind="json", kept=name),
        Case("compare with nobody", ["compare", f"x{name}", "none", "--spec", "toy", *toy], 2),
        Case("report", ["report", "toy", *toy, "--out", "report.html"]),
        *(Case(f"validate wrong {kind}", ["validate", f"wrong_{kind}.yaml"], 2)
          for kind in ("key", "value", "name")),
        Case("plan of no data", ["plan", "wrong_source.yaml"], 2),
        Case("validate torn", ["validate", "torn.yaml"], 2),
        Case("validate nothing", ["validate", f"{name}.yaml".replace("/", "")], 3),
        Case("a key that is none", ["validate", "shop.yaml", "--set", f"{name}=1"], 2),
        Case("card", ["data", "card", "shop.yaml"]),
        Case("card json", ["data", "card", "shop.yaml", "--format", "json"], kind="json"),
        Case("explain", ["spec", "explain", "shop.yaml"]),
        Case("explain json", ["spec", "explain", "shop.yaml", "--format", "json"], kind="json"),
        Case("schema", ["spec", "schema"], kind="json"),
        Case("help", ["--help"]),
        Case("run help", ["run", "--help"]),
    ]  # fmt: skip


def slow_cases(view: str) -> list[Case]:
    """A run, and what can be looked at after it."""
    options = ["shop.yaml", "--device", "cpu", "--workers", "1", "--log-format", view]
    return [
        Case(f"run {view}", ["run", *options]),
        Case("inspect text", ["inspect", "text", "shop.yaml", "--sample", "12"]),
        Case("inspect neighbours", ["inspect", "neighbours", "shop.yaml", "--side", "users"]),
        Case("inspect text json", ["inspect", "text", "shop.yaml", "--format", "json"], kind="json"),
    ]


# --- how it is delivered -----------------------------------------------------------------------------------


def in_pipes(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Arrived:
    """Both streams into pipes."""
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, timeout=TIMEOUT)
    return Arrived(done.returncode, done.stdout, done.stderr)


def redirected(how: str) -> Deliver:
    """With what a shell does to the streams; what is left of them is a pipe."""

    def deliver(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Arrived:
        return in_pipes(["bash", "-c", f'exec "$@" {how}', "bash", *arguments], folder, environment)

    return deliver


def to_nobody(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Arrived:
    """Stdout into a pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        arguments, cwd=folder, env=environment, stdout=writer, stderr=subprocess.PIPE, timeout=TIMEOUT
    )
    os.close(writer)
    return Arrived(done.returncode, b"", done.stderr)


def on_a_terminal(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Arrived:
    """Both streams on one terminal."""
    alive = {name: value for name, value in environment.items() if name != "COLUMNS"}
    code, written = on_terminal(arguments, folder, alive, columns=120)
    return Arrived(code, written, terminal=True)


def deliveries() -> Iterator[tuple[str, str, Deliver]]:
    """Name, encoding and way."""
    for encoding in ENCODINGS:
        yield f"pipe {encoding}", encoding, in_pipes
        yield f"terminal {encoding}", encoding, on_a_terminal
    yield "C locale", "ascii", in_pipes
    yield "stdout closed", "utf-8", redirected(">&-")
    yield "stderr closed", "latin-1", redirected("2>&-")
    yield "both closed", "utf-8", redirected(">&- 2>&- <&-")
    yield "stdout full", "utf-8", redirected(">/dev/full")
    yield "stderr full", "utf-8", redirected("2>/dev/full")
    yield "reader gone", "utf-8", to_nobody


def environment_of(delivery: str, encoding: str) -> dict[str, str]:
    """Wide lines that nothing folds; the encoding of both streams; no locale that helps."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHONIO"))
    }
    kept |= {
        "PYTHONPATH": str(REPOSITORY), "OPENAI_API_KEY": "sk-none-at-all", "TERM": "xterm-256color",
        "COLUMNS": "5000", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    if delivery == "C locale":
        return kept | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    return kept | {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": encoding}


# --- how it is judged --------------------------------------------------------------------------------------


def judge(case: Case, delivery: str, encoding: str, arrived: Arrived) -> list[str]:
    """What is wrong with it."""
    wrong = []
    expected = {case.code}
    if delivery == "reader gone" and not case.code:
        expected = {READER_GONE}
    if delivery == "stdout full" and not case.code:
        expected = {DISK_FULL}
    if arrived.code not in expected:
        wrong.append(f"exit {arrived.code}, not {expected}: {arrived.err[-200:] or arrived.out[-200:]!r}")
    for stream in (arrived.out, arrived.err):
        try:
            text = stream.decode(encoding)
        except UnicodeDecodeError as error:
            wrong.append(f"not {encoding}: {error}")
            continue
        wrong += [f"'{sign}' in {text[-300:]!r}" for sign in BROKEN if sign in text]
        if arrived.terminal:
            text = OURS.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
        if found := NEVER.search(text):
            wrong.append(
                f"{found.group()!r} was sent in {text[max(0, found.start() - 40) : found.end() + 40]!r}"
            )
        lines = text.split("\n")
        if case.kind != "rows" and not arrived.terminal:
            wrong += [
                f"a forged line: {line!r}" for line in lines if re.match(rf"[│┃|] *{FORGED}|{FORGED}", line)
            ]
    if case.kind == "json" and arrived.out and not arrived.terminal and case.code == arrived.code:
        wrong += unlike_json(case, arrived.out.decode(encoding))
    return wrong


def unlike_json(case: Case, text: str) -> list[str]:
    """Whether it parses, and holds what it must hold."""
    try:
        return [] if any_string(json.loads(text), case.kept) else ["a name is lost"]
    except ValueError as error:
        return [f"no JSON: {error}"]


def any_string(value: Any, sought: str) -> bool:
    """Whether a string or key in it holds the characters sought."""
    if isinstance(value, str):
        return sought in value
    if isinstance(value, Mapping):
        return any(any_string(each, sought) for pair in value.items() for each in pair)
    return isinstance(value, list) and any(any_string(each, sought) for each in value)


class Tally:
    """Counts cases, and prints what misbehaves as it comes."""

    def __init__(self) -> None:
        self.cases: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()

    def run(self, case: Case, folder: Path, ways: Sequence[tuple[str, str, Deliver]]) -> None:
        """One command in some ways."""
        for delivery, encoding, deliver in ways:
            if delivery == "C locale" and case.name == "compare json":
                continue  # there Python reads an argument beyond ASCII as bytes: another name
            command = [sys.executable, "-m", "grasp_bench", *case.arguments]
            arrived = deliver(command, folder, environment_of(delivery, encoding))
            self.cases[delivery] += 1
            if found := judge(case, delivery, encoding, arrived):
                self.wrong[delivery] += 1
                print(f"{case.name}, {delivery}:", *(f"    {each}" for each in found), sep="\n")

    def report(self) -> int:
        """Print the table; 1 if anything misbehaved."""
        for delivery, count in self.cases.items():
            print(f"{delivery:18}{count:5} commands{self.wrong[delivery]:5} misbehaved")
        print(f"{'in all':18}{self.cases.total():5} commands{self.wrong.total():5} misbehaved")
        return int(bool(self.wrong))


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--names", type=int, default=1, help="hostile names that every quick command meets")
    parser.add_argument("--no-runs", action="store_true", help="leave out what imports torch")
    asked = parser.parse_args()
    draw, tally, began = random.Random(asked.seed), Tally(), time.monotonic()
    ways = list(deliveries())
    for _ in range(asked.names):
        with tempfile.TemporaryDirectory() as place, launch(Path(place)) as server:
            folder, name = Path(place), name_of(draw)
            write_results(folder, name)
            write_shop(folder, draw, server)
            write_specs(folder, name)
            for case in quick_cases(name):
                tally.run(case, folder, ways)
    if not asked.no_runs:
        run_shops(draw, tally, {way[0]: way for way in ways})
    print(f"seed {asked.seed}, {time.monotonic() - began:.0f} s")
    return tally.report()


def run_shops(draw: random.Random, tally: Tally, ways: Mapping[str, tuple[str, str, Deliver]]) -> None:
    """Whole runs: with hostile answers, and with a service that refuses in hostile words."""
    picked = {"plain": "pipe latin-1", "json": "pipe ascii", "rich": "terminal utf-8", "auto": "both closed"}
    for view, way in picked.items():
        with tempfile.TemporaryDirectory() as place:
            refusal = json.dumps(
                {"error": {"message": name_of(draw), "type": name_of(draw), "code": name_of(draw)}}
            )
            with launch(Path(place), answer=f"{{digest}} {name_of(draw)}", api_key=None) as server:
                write_shop(Path(place), draw, server)
                server.change(faults=[Fault("body", status=400, text=refusal)])
                refused = Case(f"refused run {view}", slow_cases(view)[0].arguments, 6)
                tally.run(refused, Path(place), [ways[way]])
                server.change(faults=[])
                for case in slow_cases(view):
                    tally.run(case, Path(place), [ways[way]])


if __name__ == "__main__":
    sys.exit(main())
