"""What a template says that it reads, held against what it reads.

A template may begin with a comment that lists its variables, and shipped ones do:

    {#- variables: item.title, item.brand -#}

Then all of them must be used and no other may be. Without such a list only the names that the side
offers are checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jinja2 import Environment, meta, nodes

from grasp_bench.core.errors import DataError
from grasp_bench.core.suggest import did_you_mean

if TYPE_CHECKING:  # which imports polars
    from grasp_bench.text.subjects import Side

VARIABLES: dict[Side, tuple[str, ...]] = {"users": ("titles", "items", "user"), "items": ("item",)}
RECORDS = ("item", "user")  # variables whose attributes are columns
_LIST = re.compile(r"\{#-?\s*variables:(.*?)-?#\}", re.DOTALL)


def declared_in(source: str) -> list[str] | None:
    """Variables listed in the first comment, such as `titles` and `user.age`; None without a list."""
    found = _LIST.match(source.lstrip())
    if found is None:
        return None
    return [" ".join(name.split()) for name in found[1].split(",") if name.strip()]


def check_variables(name: str, side: Side, source: str, environment: Environment) -> None:
    """Raise DataError naming template and variable for what the side does not offer, for what is read
    without being declared, and for what is declared without being read."""
    trees = list(_with_includes(source, environment))
    offered = VARIABLES[side]
    declared = declared_in(source)
    whole = {each for tree in trees for each in meta.find_undeclared_variables(tree)} - set(
        environment.globals
    )
    for variable in sorted(whole | {each.partition(".")[0] for each in declared or ()}):
        if variable not in offered:
            raise DataError(
                f"template {name}: '{variable}' is undefined for {side}{did_you_mean(variable, offered)}",
                mend=f"templates for {side} know {', '.join(offered)}; attributes are written item.title, …",
            )
    if declared is not None:
        _compare(name, set(declared), _read(trees, whole))


def _compare(name: str, declared: set[str], read: set[str]) -> None:
    for variable in sorted(read - declared):
        raise DataError(
            f"template {name}: reads '{variable}' without declaring it{did_you_mean(variable, declared)}",
            mend="add it to the list in the template's first comment",
        )
    for variable in sorted(declared - read):
        raise DataError(
            f"template {name}: declares '{variable}' and never reads it{did_you_mean(variable, read)}",
            mend="take it off the list in the template's first comment, or use it",
        )


def _read(trees: list[nodes.Template], whole: set[str]) -> set[str]:
    """Names as declarations write them: `titles`, `item.title`; a record used as a whole by its name."""
    read = {variable for variable in whole if variable not in RECORDS}
    for tree in trees:
        loaded = (node.name for node in tree.find_all(nodes.Name) if node.ctx == "load")
        bare = [name for name in loaded if name in RECORDS]
        for variable, attribute in _attributes(tree):
            read.add(f"{variable}.{attribute}")
            bare.remove(variable)
        read |= whole.intersection(bare)
    return {each for each in read if each.partition(".")[0] in whole}


def _attributes(tree: nodes.Template) -> Iterator[tuple[str, str]]:
    """Attributes of records that are read by name: `item.title`, `item["llm summary"]`."""
    for dotted in tree.find_all(nodes.Getattr):
        if isinstance(dotted.node, nodes.Name) and dotted.node.name in RECORDS:
            yield dotted.node.name, dotted.attr
    for bracketed in tree.find_all(nodes.Getitem):
        base, name = bracketed.node, bracketed.arg
        if isinstance(base, nodes.Name) and base.name in RECORDS and isinstance(name, nodes.Const):
            yield base.name, str(name.value)


def _with_includes(source: str, environment: Environment) -> Iterator[nodes.Template]:
    tree = environment.parse(source)
    yield tree
    for other in meta.find_referenced_templates(tree):
        if other is not None and environment.loader is not None:
            yield from _with_includes(environment.loader.get_source(environment, other)[0], environment)
