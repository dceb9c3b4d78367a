"""Compile prompt templates: shipped ones by name, a user's own from a .j2 file, both in a sandbox.

A template may begin with a comment that lists its variables, and shipped ones do:

    {#- variables: item.title, item.brand -#}

Then all of them must be used and no others may be. Without a list, only the names that the side offers are
checked.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import (
    Environment,
    FunctionLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    UndefinedError,
    meta,
    nodes,
)
from jinja2.exceptions import SecurityError, TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment

from grasp_bench.core.errors import DataError, UnknownNameError
from grasp_bench.core.files import require_file
from grasp_bench.core.hashing import content_hash
from grasp_bench.core.words import did_you_mean
from grasp_bench.text.sandbox import MeteredEnvironment, TooMuchError, is_plain, walk

if TYPE_CHECKING:
    from grasp_bench.text.providers import Side


VARIABLES: dict[Side, tuple[str, ...]] = {"users": ("titles", "items", "user"), "items": ("item",)}
RECORDS = ("item", "user")  # variables with columns as attributes
_LIST = re.compile(r"\{#-?\s*variables:(.*?)-?#\}", re.DOTALL)


def declared_in(source: str) -> list[str] | None:
    """Return the variables in the first comment, such as `titles` and `user.age`; None without a list."""
    found = _LIST.match(source.lstrip())
    if found is None:
        return None
    return [" ".join(name.split()) for name in found[1].split(",") if name.strip()]


def check_variables(name: str, side: Side, source: str, environment: Environment) -> frozenset[str]:
    """Return the names that a template reads. Raise DataError for variables that the side does not offer,
    that are read and not declared, or that are declared and not read."""
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
                hint=f"templates for {side} know {', '.join(offered)}; attributes are written item.title, …",
            )
    read = _read(trees, whole)
    if declared is not None:
        _compare(name, set(declared), read)
    return frozenset(read)


def _compare(name: str, declared: set[str], read: set[str]) -> None:
    for variable in sorted(read - declared):
        raise DataError(
            f"template {name}: reads '{variable}' without declaring it{did_you_mean(variable, declared)}",
            hint="add it to the list in the template's first comment",
        )
    for variable in sorted(declared - read):
        raise DataError(
            f"template {name}: declares '{variable}' and never reads it{did_you_mean(variable, read)}",
            hint="take it off the list in the template's first comment, or use it",
        )


def _read(trees: list[nodes.Template], whole: set[str]) -> set[str]:
    """Return names as declarations write them: `titles`, `item.title`; a whole record by its name."""
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
    """Yield attributes of records that are read by name: `item.title`, `item["llm summary"]`."""
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


DEFAULT_TEMPLATES: dict[Side, str] = {"users": "visited_items", "items": "item"}
SUFFIX = ".j2"
MOST_BYTES = 128 * 1024
MOST_PARTS = 5_000  # expressions and pieces of text; each takes time to compile
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
# Errors of the compilers of Jinja and Python for templates that are nested too deep or too large.
_TOO_DEEP = (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError, TooMuchError)


class EndlessTemplateError(DataError):
    """A template takes too many steps, or uses what the sandbox forbids."""


def shipped_templates() -> list[str]:
    """Return the names of the shipped templates, sorted."""
    folder = resources.files("grasp_bench.text") / "prompts"
    return sorted(
        entry.name.removesuffix(SUFFIX) for entry in folder.iterdir() if entry.name.endswith(SUFFIX)
    )


def read_template(name: str) -> str:
    """Return the source of a shipped template, or of a file when `name` ends in .j2.

    Raises UnknownNameError (with the nearest name), MissingFileError, or DataError when the file
    is not UTF-8.
    """
    if not name.endswith(SUFFIX):
        known = shipped_templates()
        if name not in known:
            raise UnknownNameError(
                f"unknown template '{name}'{did_you_mean(name, known)}",
                hint=f"choose one of: {', '.join(known)}; or name a {SUFFIX} file",
            )
        return _shipped(name)
    path = require_file(Path(name), hint="correct text.*.template")
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise DataError(f"{name}: larger than {MOST_BYTES >> 10} KiB", hint="shorten the template")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}: not UTF-8 at byte {error.start}", hint="save the template as UTF-8"
        ) from None


def _shipped(name: str) -> str:
    return (resources.files("grasp_bench.text") / "prompts" / f"{name}{SUFFIX}").read_text("utf-8")


def _included(name: str) -> str | None:
    """Return a shipped template for an include; the hash would not cover other files."""
    return _shipped(name) if name in shipped_templates() else None


class Prompt:
    """A compiled template of one side; `fill` renders it for one entity.

    A template that could build up a large value is metered (`text.sandbox`). `version` identifies the
    template by name and content, without its folder and comments; request keys contain it. `reads` are the
    names that it reads, such as `titles` and `item.title`.
    """

    def __init__(self, name: str, side: Side) -> None:
        self.name = name
        self._side = side
        source = read_template(name)
        self.version = f"{Path(name).name}@{content_hash(_COMMENT.sub('', source))}"
        try:
            self._meter, self._template, self.reads = _compiled(name, side, source)
        except TemplateSyntaxError as error:
            raise DataError(
                f"{name}:{error.lineno}: {error.message}", hint="correct the template's syntax"
            ) from None
        except TemplateNotFound as error:
            raise DataError(
                f"template {name}: includes '{error.name}', which is not a shipped template",
                hint=f"include one of: {', '.join(shipped_templates())}",
            ) from None
        except _TOO_DEEP as error:
            raise DataError(
                f"template {name}: cannot be compiled: {_in_words(error)}", hint="write it more simply"
            ) from None

    def fill(self, entity: str, **variables: Any) -> str:
        """Render for one entity and strip white space; DataError names entity and template."""
        if self._meter is not None:
            self._meter.refill()
        try:
            return self._template.render(variables).strip()
        except UndefinedError as error:
            known = ", ".join(VARIABLES[self._side])
            raise DataError(
                f"template {self.name}: {error.message} (while writing about '{entity}')",
                hint=f"templates for {self._side} know {known}; attributes are written item.title, …",
            ) from None
        except (TooMuchError, SecurityError, MemoryError, RecursionError) as error:
            raise EndlessTemplateError(
                f"{self.name}:{_line_of(error)}: {_in_words(error)} (while writing about '{entity}')",
                hint="let the template fill, test and walk what is given",
            ) from None
        except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise DataError(
                f"template {self.name}: {error} (while writing about '{entity}')", hint="correct the template"
            ) from None


def _compiled(
    name: str, side: Side, source: str
) -> tuple[MeteredEnvironment | None, Template, frozenset[str]]:
    """Return the environment that meters a template unless it is plain, the template, the names it reads."""
    settings: dict[str, Any] = {
        "autoescape": False, "undefined": StrictUndefined, "loader": FunctionLoader(_included)
    }  # fmt: skip
    environment = ImmutableSandboxedEnvironment(**settings)
    tree = environment.parse(source)
    if (parts := sum(1 for _ in walk(tree))) > MOST_PARTS:
        raise DataError(
            f"template {name}: has {parts:,} parts, and may have {MOST_PARTS:,}", hint="shorten the template"
        )
    meter = None if is_plain(tree) else MeteredEnvironment(**settings)
    used = environment if meter is None else meter
    template = used.from_string(source)
    return meter, template, check_variables(name, side, source, used)


def _line_of(error: BaseException) -> int:
    """Return the template's line that raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((each.lineno or 1 for each in reversed(frames) if each.filename == "<template>"), 1)


def _in_words(error: BaseException) -> str:
    match error:
        case RecursionError():
            return "it is nested too deep, or calls itself without an end"
        case MemoryError():
            return "it needs more memory than there is"
    return str(error)
