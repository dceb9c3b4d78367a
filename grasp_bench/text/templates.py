"""Prompt templates: shipped ones by name, a user's own from a .j2 file; both run in a sandbox."""

from __future__ import annotations

import re
import traceback
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from jinja2 import (
    FunctionLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    UndefinedError,
)
from jinja2.exceptions import SecurityError, TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment

from grasp_bench.core.errors import DataError, UnknownNameError
from grasp_bench.core.files import require_file
from grasp_bench.core.hashing import content_hash
from grasp_bench.core.suggest import did_you_mean
from grasp_bench.text.declarations import VARIABLES, check_variables
from grasp_bench.text.metered_templates import MeteredEnvironment, TooMuchError
from grasp_bench.text.plain_templates import is_plain, walk

if TYPE_CHECKING:  # which imports polars
    from grasp_bench.text.subjects import Side

DEFAULT_TEMPLATES: dict[Side, str] = {"users": "visited_items", "items": "item"}
SUFFIX = ".j2"
MOST_BYTES = 128 * 1024
MOST_PARTS = 5_000  # expressions and pieces of text; compiling takes its time with each
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
# What the compilers of Jinja and of Python say of a template that is nested too deep or counts too high.
_TOO_DEEP = (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError, TooMuchError)


class EndlessTemplateError(DataError):
    """A template asks for more than any text needs, or for what no template may have."""


def shipped_templates() -> list[str]:
    """Names of the templates that come with the package, sorted."""
    folder = resources.files("grasp_bench.text") / "prompts"
    return sorted(
        entry.name.removesuffix(SUFFIX) for entry in folder.iterdir() if entry.name.endswith(SUFFIX)
    )


def read_template(name: str) -> str:
    """Source of a shipped template, or of a file when `name` ends in .j2.

    Raises UnknownNameError (with the nearest name), MissingFileError, or DataError when the file
    is not UTF-8.
    """
    if not name.endswith(SUFFIX):
        known = shipped_templates()
        if name not in known:
            raise UnknownNameError(
                f"unknown template '{name}'{did_you_mean(name, known)}",
                mend=f"choose one of: {', '.join(known)}; or name a {SUFFIX} file",
            )
        return _shipped(name)
    path = require_file(Path(name), mend="correct text.*.template")
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise DataError(f"{name}: larger than {MOST_BYTES >> 10} KiB", mend="shorten the template")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}: not UTF-8 at byte {error.start}", mend="save the template as UTF-8"
        ) from None


def _shipped(name: str) -> str:
    return (resources.files("grasp_bench.text") / "prompts" / f"{name}{SUFFIX}").read_text("utf-8")


def _included(name: str) -> str | None:
    """Shipped templates alone may be included: a file's hash would not cover other files."""
    return _shipped(name) if name in shipped_templates() else None


class Prompt:
    """A compiled template of one side; `fill` renders it for one entity.

    A template that could build something endless is metered (`metered_templates`); all others run as they
    are. `version` names the template and its content for the keys of requests: wherever the file lies,
    whatever its comments say.
    """

    def __init__(self, name: str, side: Side) -> None:
        self.name = name
        self._side = side
        source = read_template(name)
        self.version = f"{Path(name).name}@{content_hash(_COMMENT.sub('', source))}"
        try:
            self._meter, self._template = _compiled(name, side, source)
        except TemplateSyntaxError as error:
            raise DataError(
                f"{name}:{error.lineno}: {error.message}", mend="correct the template's syntax"
            ) from None
        except TemplateNotFound as error:
            raise DataError(
                f"template {name}: includes '{error.name}', which is not a shipped template",
                mend=f"include one of: {', '.join(shipped_templates())}",
            ) from None
        except _TOO_DEEP as error:
            raise DataError(
                f"template {name}: cannot be compiled: {_in_words(error)}", mend="write it more simply"
            ) from None

    def fill(self, entity: str, **variables: Any) -> str:
        """Render for one entity, white space at both ends cut; DataError names entity and template."""
        if self._meter is not None:
            self._meter.refill()
        try:
            return self._template.render(variables).strip()
        except UndefinedError as error:
            known = ", ".join(VARIABLES[self._side])
            raise DataError(
                f"template {self.name}: {error.message} (while writing about '{entity}')",
                mend=f"templates for {self._side} know {known}; attributes are written item.title, …",
            ) from None
        except (TooMuchError, SecurityError, MemoryError, RecursionError) as error:
            raise EndlessTemplateError(
                f"{self.name}:{_line_of(error)}: {_in_words(error)} (while writing about '{entity}')",
                mend="let the template fill, test and walk what is given",
            ) from None
        except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise DataError(
                f"template {self.name}: {error} (while writing about '{entity}')", mend="correct the template"
            ) from None


def _compiled(name: str, side: Side, source: str) -> tuple[MeteredEnvironment | None, Template]:
    """The template, and the environment that counts its steps where it is no plain one."""
    settings: dict[str, Any] = {
        "autoescape": False, "undefined": StrictUndefined, "loader": FunctionLoader(_included)
    }  # fmt: skip
    environment = ImmutableSandboxedEnvironment(**settings)
    tree = environment.parse(source)
    if (parts := sum(1 for _ in walk(tree))) > MOST_PARTS:
        raise DataError(
            f"template {name}: has {parts:,} parts, and may have {MOST_PARTS:,}", mend="shorten the template"
        )
    meter = None if is_plain(tree) else MeteredEnvironment(**settings)
    used = environment if meter is None else meter
    template = used.from_string(source)
    check_variables(name, side, source, used)
    return meter, template


def _line_of(error: BaseException) -> int:
    """The line of the template that was at work."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if _is_template(frame)]
    return lines[-1] if lines else 1


def _is_template(frame: FrameType) -> bool:
    return frame.f_code.co_filename == "<template>"


def _in_words(error: BaseException) -> str:
    match error:
        case RecursionError():
            return "it is nested too deep, or calls itself without an end"
        case MemoryError():
            return "it needs more memory than there is"
    return str(error)
