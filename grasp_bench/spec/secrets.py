"""Refuse values of a spec that look like access keys, without quoting them."""

from __future__ import annotations

import re

from grasp_bench.core.secrets import looks_secret
from grasp_bench.spec.problems import Problems
from grasp_bench.spec.service import ENVIRONMENT_NAME
from grasp_bench.spec.tree import Entry, Node, Part
from grasp_bench.spec.wording import KEYS_COME_FROM

VARIABLE = "expected the name of an environment variable, such as OPENAI_API_KEY, and never its value"
VARIABLE_KEY = "api_key_env"
LONG_NAME = 20


def without_secrets(tree: Node, problems: Problems) -> Node:
    """Remove values that look like access keys and note a problem for each, without its value."""
    return _checked(tree, (), problems)


def _checked(node: Node, path: tuple[Part, ...], problems: Problems) -> Node:
    if isinstance(node.value, dict):
        entries = {
            key: Entry(entry.key_place, _checked(entry.node, (*path, key), problems))
            for key, entry in node.value.items()
        }
        return Node(entries, node.place, node.variables, node.broken, node.size)
    if isinstance(node.value, list):
        items = [_checked(item, (*path, k), problems) for k, item in enumerate(node.value)]
        return Node(items, node.place, node.variables, node.broken, node.size)
    if not isinstance(node.value, str):
        return node
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    wrong = None
    if key.rpartition(".")[2] == VARIABLE_KEY and not _names_a_variable(node.value):
        wrong = VARIABLE
    elif looks_secret(node.value):
        wrong = f"looks like an access key; {KEYS_COME_FROM}"
    if wrong is None:
        return node
    problems.add(node.place, path, wrong)
    return Node(None, node.place, broken=True)


def _names_a_variable(text: str) -> bool:
    """Return whether a text is a variable's name and no key of letters and digits (`a1b2…`)."""
    random = len(text) >= LONG_NAME and "_" not in text and any(letter.isdigit() for letter in text)
    return bool(re.fullmatch(ENVIRONMENT_NAME, text)) and not random
