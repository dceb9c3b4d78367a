"""Hostile specs: the committed ones and the starter, changed at random, through `validate` and `plan`.

    python -m tests.campaign.specs --cases 924 --seed 0

A case misbehaves when it ends in a traceback, takes more than two seconds of processor time, hangs (60
seconds), or is refused without the file and line of what is wrong. Exit code 1 if any does.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import yaml

from grasp_bench.cli.spec import starter_text
from grasp_bench.spec.problems import Problems
from grasp_bench.spec.tree import Node, Place, plain
from grasp_bench.spec.yaml_reader import read_text

ROOT = Path(__file__).parents[2]
SLOW, HANG = 2.0, 60.0  # seconds: of the processor, of the clock (which other processes share)
PLACED = re.compile(r"^(error: |note: )?\S*?[^\s:]+:\d+:\d+", re.MULTILINE)
# A sound spec whose data lack something: the error names the file of data.
LACKING = re.compile(r"error: \S+/(interactions|items|users)\.\w+: has no ")
REFUSED = (2, 3)

Value = Any
Change = Callable[[random.Random, Value], Value]

TEXTS = [
    "", " ", "\0", "a\0b", "\x1b[31mred", "a\nb", "\t", "\u202edesrever", "zero\u200bwidth", "\ud800",
    "\ufeff", "é" * 50, "🜁" * 20, "x" * 5_000, "x" * 200_000, "no", "null", "1e999", "0x1F",
    "../../etc/passwd", "/dev/zero", "/dev/stdin", "/proc/self/mem", "/", ".", "~nobody/x", "a/" * 3_000,
    "fifo.csv", "fifo.j2", "folder.csv", "loop.j2", "{{ 'a' * 9999999999 }}", "${HOME}",
    "${GRASP_BENCH_NONE}", "${", "bomb.j2", "endless.j2", "recursive.j2", "deep.j2", "binary.j2",
    "none.j2", "sk-" + "a1" * 20, "=1+1", "<script>", "a|b", "`rm`", "*", "?[", "model.enhancer",
    "a.b.c.d", "." * 100, "__proto__", "CON", "-", "--help",
]  # fmt: skip
NUMBERS = [
    0, -1, 1, 2, 2**31, 2**63 - 1, -(2**63), 2**64, 10**30, 0.0, -0.0, 1e-320, 1e308, float("inf"),
    float("nan"), 0.1, 1.0, 64.0, True, False, None,
]  # fmt: skip
KEYS = [
    "dataset", "model", "encoder", "text", "index", "training", "compare", "ablations", "noise", "tuning",
    "imported", "hypotheses", "published", "include", "protocol", "controls", "seeds", "name", "source",
    "items", "users", "path", "template", "provider", "kind", "rates", "space", "dataset.source",
    "text.items.template", "model.heads", "encoder.model", "run", "file",
]  # fmt: skip
LITERAL = [
    "&a [*a]", "*nothing", "!!python/object:os.system x", "!!binary aGk=", "<<: {a: 1}", "? [a, b]\n: c",
    "- a\n- b", "{a: 1, a: 2}", "[" * 60 + "]" * 60, "---\nname: second", "\tname: x", "%YAML 9.9", "'",
    '"\\x00"', '"\\ud800"', "a: b: c", "key: @at", "&x {a: &y [*x]}", "name: |\n  a\n b", "\x00", "\x85",
    "\ufeffname: x",
]  # fmt: skip
TEMPLATES = {
    "bomb.j2": "{{ 'a' * 9999999999 }}",
    "endless.j2": "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "recursive.j2": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "deep.j2": "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
}


def containers(value: Value, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of everything in a spec."""
    found = [path]
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in below:
        found += containers(each, (*path, key))
    return found


def at(value: Value, path: tuple[Any, ...]) -> Value:
    for part in path:
        value = value[part]
    return value


def scalar(rng: random.Random) -> Value:
    return rng.choice([lambda: rng.choice(TEXTS), lambda: rng.choice(NUMBERS)])()


def large(rng: random.Random) -> Value:
    """A value that is too much of something."""
    n = rng.choice([50, 2_000, 60_000])
    return rng.choice(
        [
            lambda: list(range(n)),
            lambda: [n] * min(n, 2_000),
            lambda: {f"k{i}": i for i in range(n)},
            lambda: {f"a{i}": {"model.heads": i + 1} for i in range(min(n, 20_000))},
            lambda: {rng.choice(KEYS): [i / 7 for i in range(n)]},
            lambda: nested(rng.choice([5, 39, 60, 900])),
            lambda: "y" * n,
        ]
    )()


def nested(depth: int) -> Value:
    value: Value = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def change(rng: random.Random, spec: Value) -> str:
    """Do one thing to a spec, in place; returns what was done."""
    paths = [path for path in containers(spec) if path]
    if not paths:
        return "nothing"
    path = rng.choice(paths)
    parent, last = at(spec, path[:-1]), path[-1]
    kind = rng.choice(
        [
            "delete",
            "scalar",
            "scalar",
            "scalar",
            "type",
            "key",
            "key",
            "new key",
            "large",
            "duplicate",
            "move",
            "text",
            "patch",
            "file",
        ]
    )
    if kind == "delete":
        del parent[last]
    elif kind == "scalar":
        parent[last] = scalar(rng)
    elif kind == "type":
        old = parent[last]
        parent[last] = rng.choice([[old], {"a": old}, str(old), [old, old], [[old]], {}, []])
    elif kind == "key" and isinstance(parent, dict):
        name = str(last)
        spot = rng.randrange(len(name) + 1)
        renamed = rng.choice(
            [
                name[:spot] + name[spot + 1 :],
                name[:spot] + "x" + name[spot:],
                name.upper(),
                rng.choice(TEXTS),
                rng.choice(KEYS),
            ]
        )
        parent[renamed] = parent.pop(last)
    elif kind == "new key":
        target = parent if isinstance(parent, dict) else spec
        target[rng.choice([*KEYS, *TEXTS])] = rng.choice([scalar, large])(rng)
    elif kind == "large":
        parent[last] = large(rng)
    elif kind == "duplicate" and isinstance(parent[last], list) and parent[last]:
        parent[last].append(rng.choice(parent[last]))
    elif kind == "move":
        parent[last] = at(spec, rng.choice(paths))
        if last in path[:-1] or len(json.dumps(spec, default=str)) > 1_000_000:
            parent[last] = None
    elif kind == "text":
        parent[last] = str(parent[last])
    elif kind == "patch":
        where = rng.choice(
            ["compare", "ablations", "noise", "tuning", "imported", "hypotheses", "include", "published"]
        )
        key, value = rng.choice(KEYS), rng.choice([scalar, large])(rng)
        spec[where] = rng.choice(
            [
                value,
                {key: value},
                {key: [value, value]},
                {"a": {key: value}},
                [{key: value}],
                {"space": {key: [value, 1]}},
            ]
        )
    elif kind == "file":
        name = rng.choice(TEXTS)
        files = [
            ("dataset", {"source": name}),
            ("dataset", {"source": "fifo.csv", "items": name}),
            ("text", {rng.choice(["users", "items"]): {"provider": "template", "template": name}}),
            ("text", {rng.choice(["users", "items"]): {"provider": "precomputed", "path": name}}),
            ("encoder", {"kind": "precomputed", "users": name, "items": "fifo.csv"}),
            ("encoder", {"kind": "sentence_transformers", "model": name}),
            ("imported", [{"name": "theirs", "run": name, "format": "csv"}]),
            ("ablations", {"file": {"text.items.template": name, "model.enhancer": "grasp"}}),
            ("compare", {"text.items.template": [name, rng.choice(TEXTS)], "model.enhancer": ["grasp"]}),
            ("published", {"file": name, "dataset": "Beauty"}),
            ("include", name),
        ]
        where, value = rng.choice(files)
        spec[where] = value
    return kind


def mutated(rng: random.Random, spec: Value) -> tuple[str, str]:
    """A changed spec as text, and what was done to it."""
    spec = json.loads(json.dumps(spec))
    done = []
    for _ in range(rng.choice([1, 1, 2, 4])):
        try:
            done.append(change(rng, spec))
        except (KeyError, IndexError, TypeError, ValueError, RecursionError):
            done.append("nothing")
    try:
        text = yaml.dump(
            spec,
            allow_unicode=rng.random() < 0.5,
            sort_keys=False,
            default_flow_style=rng.choice([None, True, False]),
        )
    except (RecursionError, UnicodeError):
        text = json.dumps(nested(30))
    if rng.random() < 0.15:
        done.append("literal")
        lines = text.split("\n")
        spot = rng.randrange(len(lines))
        text = "\n".join([*lines[:spot], rng.choice(["", "x: "]) + rng.choice(LITERAL), *lines[spot:]])
    if rng.random() < 0.05:
        done.append("cut")
        text = text[: rng.randrange(len(text) + 1)]
    return text, "+".join(sorted(set(done)))


def commands(path: str) -> list[list[str]]:
    return [["validate", path], ["plan", path, "--device", "cpu", "--store", "store"]]


def work(orders: Connection) -> None:
    """In the worker: run a command in process, and say how it ended."""
    import contextlib
    import io

    from grasp_bench.cli.app import app

    while True:
        arguments = orders.recv()
        out = io.StringIO()
        began = time.process_time()
        fault = None
        code: Any = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                code = app(arguments, prog_name="grasp-bench", standalone_mode=False)  # what typer.Exit said
            except SystemExit as left:
                code = left.code
            except BaseException as error:
                code = getattr(error, "exit_code", None)
                if code is None:
                    fault = f"{type(error).__name__}: {str(error)[:200]}"
        orders.send((code, fault, out.getvalue()[-20_000:], time.process_time() - began))


class Worker:
    """A process that runs commands, replaced when one takes longer than `hang` seconds."""

    def __init__(self, hang: float = HANG) -> None:
        self._hang = hang
        self._start()

    def _start(self) -> None:
        self._mine, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def run(self, arguments: list[str]) -> tuple[Any, str | None, str, float]:
        self._mine.send(arguments)
        try:
            if self._mine.poll(self._hang):
                return self._mine.recv()
            fault = f"hangs: no answer in {self._hang:.0f} s"
        except EOFError:
            fault = "the process died"
        self.close()
        self._start()
        return None, fault, "", self._hang

    def close(self) -> None:
        self._process.kill()
        self._process.join()


@dataclass
class Bad:
    """A case that misbehaved."""

    number: int
    source: str
    done: str
    command: str
    what: str


def judge(code: Any, fault: str | None, said: str, seconds: float) -> tuple[str, str | None]:
    """How a command ended, and what was wrong with that."""
    if fault is not None:
        return "fault", fault
    if seconds > SLOW:
        return "slow", f"took {seconds:.1f} s: {said[:200]!r}"
    if code in (0, None):
        return "accepted", None
    if code not in REFUSED:
        return "fault", f"exit code {code}: {said[:300]!r}"
    if not PLACED.search(said) and not LACKING.match(said):
        return "fault", f"no file and line: {said[:300]!r}"
    return "refused", None


def prepare(folder: Path) -> None:
    """What the hostile names lead to."""
    for name in ("fifo.csv", "fifo.j2"):
        os.mkfifo(folder / name)
    (folder / "folder.csv").mkdir()
    (folder / "loop.j2").symlink_to("loop.j2")
    (folder / "binary.j2").write_bytes(bytes(range(256)))
    for name, text in TEMPLATES.items():
        (folder / name).write_text(text)


def parsed(text: str) -> Node:
    tree = read_text(text, Place("spec"), Problems(), environment={"GRASP_BENCH_DATA": "data"})
    assert tree is not None
    return tree


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=924)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="Folder for the specs that misbehaved.")
    given = parser.parse_args()
    sources = {path.name: path.read_text() for path in sorted((ROOT / "specs").glob("*.yaml"))}
    sources["starter"] = starter_text("starter")
    specs = {name: plain(parsed(text)) for name, text in sources.items()}
    counts: Counter[tuple[str, str]] = Counter()
    bad: list[Bad] = []
    slowest = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(folder)
        os.chdir(folder)
        os.environ["PYTHONPATH"] = str(ROOT)
        (folder / "specs").symlink_to(ROOT / "specs")
        (folder / "published").symlink_to(ROOT / "specs" / "published")
        for name, text in sources.items():  # to be included
            (folder / name).write_text(text)
        worker = Worker()
        for number in range(given.cases):
            rng = random.Random(f"{given.seed}/{number}")
            source = rng.choice(sorted(specs))
            text, done = mutated(rng, specs[source])
            path = folder / "case.yaml"
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
            for arguments in commands("case.yaml"):
                code, fault, said, seconds = worker.run(arguments)
                slowest = max(slowest, seconds)
                ended, wrong = judge(code, fault, said, seconds)
                counts[arguments[0], ended] += 1
                if wrong is not None:
                    bad.append(Bad(number, source, done, arguments[0], wrong))
                    if given.keep:
                        given.keep.mkdir(parents=True, exist_ok=True)
                        (given.keep / f"case{number}.yaml").write_bytes(path.read_bytes())
        worker.close()
        os.chdir(ROOT)
    print(f"{'command':10} {'accepted':>9} {'refused':>9} {'slow':>6} {'fault':>6}")
    for command in ("validate", "plan"):
        row = [counts[command, ended] for ended in ("accepted", "refused", "slow", "fault")]
        print(f"{command:10} {row[0]:9} {row[1]:9} {row[2]:6} {row[3]:6}")
    print(f"{given.cases} specs, seed {given.seed}; the slowest command took {slowest:.2f} s")
    for each in bad:
        print(f"case {each.number} ({each.source}; {each.done}) {each.command}: {each.what}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
