"""Prompt templates: shipped ones by name, a user's own from a .j2 file; both run in a sandbox."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError, TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment

from grasp_bench.core.errors import DataError, MissingFileError, UnknownNameError
from grasp_bench.core.hashing import content_hash
from grasp_bench.core.suggest import did_you_mean
from grasp_bench.text.declarations import VARIABLES, check_variables
from grasp_bench.text.subjects import Side

DEFAULT_TEMPLATES: dict[Side, str] = {"users": "visited_items", "items": "item"}
SUFFIX = ".j2"
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)


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
    try:
        return Path(name).read_text("utf-8")
    except (FileNotFoundError, IsADirectoryError):
        raise MissingFileError(f"{name}: no such template file", mend="correct text.*.template") from None
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

    `version` names the template and its content for the keys of requests: wherever the file lies,
    whatever its comments say.
    """

    def __init__(self, name: str, side: Side) -> None:
        self.name = name
        self._side = side
        source = read_template(name)
        self.version = f"{Path(name).name}@{content_hash(_COMMENT.sub('', source))}"
        environment = ImmutableSandboxedEnvironment(
            autoescape=False, undefined=StrictUndefined, loader=FunctionLoader(_included)
        )
        try:
            self._template = environment.from_string(source)
            check_variables(name, side, source, environment)
        except TemplateSyntaxError as error:
            raise DataError(
                f"{name}:{error.lineno}: {error.message}", mend="correct the template's syntax"
            ) from None
        except TemplateNotFound as error:
            raise DataError(
                f"template {name}: includes '{error.name}', which is not a shipped template",
                mend=f"include one of: {', '.join(shipped_templates())}",
            ) from None

    def fill(self, entity: str, **variables: Any) -> str:
        """Render for one entity, white space at both ends cut; DataError names entity and template."""
        try:
            return self._template.render(variables).strip()
        except UndefinedError as error:
            known = ", ".join(VARIABLES[self._side])
            raise DataError(
                f"template {self.name}: {error.message} (while writing about '{entity}')",
                mend=f"templates for {self._side} know {known}; attributes are written item.title, …",
            ) from None
        except (SecurityError, TemplateError, ArithmeticError, TypeError, ValueError, LookupError) as error:
            raise DataError(
                f"template {self.name}: {error} (while writing about '{entity}')", mend="correct the template"
            ) from None
