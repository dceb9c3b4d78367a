"""Run a whole study against servers that misbehave in one way each, then against a mended one.

Checked: a run ends well or with one error that says what to do, never with a traceback; no node takes more
tokens than its limit, counted by what the server billed; after the hint the same command ends well.

    python -m tests.campaign.servers
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from llm_server.launch import Running, launch
from llm_server.settings import Fault
from small_study import ITEMS, run, write_study

KEY = {"OPENAI_API_KEY": "sk-none-at-all"}
NODES = 4  # texts and vectors of two sides
LIMIT = 40_000  # tokens of one node: enough for all of it once, not for a loop
WELL, REFUSED, FAILED_CELLS = 0, 7, 6


def body(text: str, status: int = 200) -> list[Fault]:
    """A server that answers every chat so."""
    return [Fault("body", status=status, text=text, matching='"messages"')]


def chat(**changes: Any) -> str:
    """A chat answer with some of its parts replaced; a part given as `...` is left out."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "A balm."}, "finish_reason": "stop"}
    whole: dict[str, Any] = {
        "id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    }  # fmt: skip
    choice |= {name: value for name, value in changes.items() if name in choice}
    whole |= {name: value for name, value in changes.items() if name in whole}
    return json.dumps({name: value for name, value in whole.items() if value is not ...})


SERVERS: Mapping[str, Sequence[Fault]] = {
    "html instead of JSON": body("<html>Welcome</html>"),
    "an empty body": body(""),
    "no choices": body(chat(choices=...)),
    "content as a list of parts": body(chat(message={"content": [{"type": "text", "text": "A balm."}]})),
    "usage in fractions": body(chat(usage={"prompt_tokens": 1.5, "completion_tokens": 0.5})),
    "usage of nothing": body(chat(usage={"prompt_tokens": 0, "completion_tokens": 0})),
    "broken off by a network error": body(chat(finish_reason="network_error")),
    "an unknown reason": body(chat(finish_reason="because")),
    "zero vectors": [Fault("body", matching='"input"', status=200, text=json.dumps(
        {"data": [{"index": 0, "embedding": [0.0] * 8}], "usage": {"prompt_tokens": 3}}))],
    "NaN vectors": [Fault("body", matching='"input"', status=200, text=json.dumps(
        {"data": [{"index": 0, "embedding": [float("nan")] * 8}], "usage": {"prompt_tokens": 3}}))],
    "negative indices": [Fault("body", matching='"input"', status=200, text=json.dumps(
        {"data": [{"index": -1, "embedding": [1.0] * 8}], "usage": {"prompt_tokens": 3}}))],
    "vectors of another width": [Fault("wrong_width")],
    "422 with words": body(json.dumps({"error": {"message": "no seed, please"}}), status=422),
    "redirects elsewhere": [Fault("redirect", status=307, text="http://localhost:9/v1/chat/completions")],
    "endless 503": [Fault("status", status=503)],
    "cut connections": [Fault("cut", rate=0.3)],
    "cut bodies": [Fault("cut_body", rate=0.3)],
    "escapes in answers": [Fault("says", text="A \x1b]52;c;aGk=\x07balm \x9b31m\u202e.")],
}  # fmt: skip


def main() -> int:
    """Run the campaign; 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help="servers whose name holds this")
    asked = parser.parse_args()
    wrong: list[str] = []
    names = [name for name in SERVERS if asked.only in name]
    for name in names:
        with tempfile.TemporaryDirectory() as folder, launch(Path(folder), faults=SERVERS[name]) as server:
            code, found = against(Path(folder), server)
            print(
                f"{name:32} exit {code}, {server.counts().received:4} requests, {len(found)} faults",
                flush=True,
            )
            wrong += [f"{name}: {each}" for each in found]
    print(f"{len(names)} servers", *(wrong or ["nothing misbehaved"]), sep="\n")
    return int(bool(wrong))


def against(folder: Path, server: Running) -> tuple[int, list[str]]:
    """One study on one server: its first exit code, and what was not as it must be."""
    wrong: list[str] = []
    write_study(folder, server)
    spec = yaml.safe_load((folder / "study.yaml").read_text())
    limits = {"max_attempts": 2, "max_tokens_total": LIMIT}
    for section in (spec["text"]["users"], spec["text"]["items"], spec["encoder"]):
        section |= limits
    (folder / "study.yaml").write_text(yaml.safe_dump(spec))
    first = run(folder, **KEY)
    told = first.stdout + first.stderr
    if first.returncode not in (WELL, REFUSED, FAILED_CELLS):
        wrong.append(f"exit {first.returncode}: {told[-300:]}")
    if "Traceback (most recent" in told:
        wrong.append(f"a traceback: {told[-300:]}")
    if first.returncode and "hint:" not in told:
        wrong.append(f"no hint: {told[-300:]}")
    if any(sign in told for sign in "\x1b\x07\x9b\u202e"):
        wrong.append("control characters were sent to the terminal")
    if server.counts().billed_tokens > NODES * LIMIT:
        wrong.append(f"{server.counts().billed_tokens} tokens billed, beyond all limits")
    server.change(faults=[])
    for section in (spec["text"]["users"], spec["text"]["items"], spec["encoder"]):
        section["max_tokens_total"] = 100 * LIMIT
    (folder / "study.yaml").write_text(yaml.safe_dump(spec))
    second = run(folder, **KEY)
    if second.returncode != WELL:
        wrong.append(f"after the hint: exit {second.returncode}: {second.stderr[-300:]}")
    if server.counts().received < ITEMS:
        wrong.append("nothing was asked")
    return first.returncode, wrong


if __name__ == "__main__":
    sys.exit(main())
