"""Prompt templates: shipped ones by name, a user's own from a .j2 file; both run in a sandbox."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from grasp_bench.core.errors import DataError, MissingFileError, UnknownNameError
from grasp_bench.core.suggest import did_you_mean
from grasp_bench.text.subjects import Side

DEFAULT_TEMPLATES: dict[Side, str] = {"users": "visited_items", "items": "item"}
VARIABLES: dict[Side, tuple[str, ...]] = {"users": ("titles", "items"), "items": ("item",)}
SUFFIX = ".j2"


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
        return (resources.files("grasp_bench.text") / "prompts" / f"{name}{SUFFIX}").read_text("utf-8")
    try:
        return Path(name).read_text("utf-8")
    except (FileNotFoundError, IsADirectoryError):
        raise MissingFileError(f"{name}: no such template file", mend="correct text.*.template") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}: not UTF-8 at byte {error.start}", mend="save the template as UTF-8"
        ) from None


class Prompt:
    """A compiled template of one side; `fill` renders it for one entity."""

    def __init__(self, name: str, side: Side) -> None:
        self.name = name
        self._side = side
        environment = ImmutableSandboxedEnvironment(autoescape=False, undefined=StrictUndefined)
        try:
            self._template = environment.from_string(read_template(name))
        except TemplateSyntaxError as error:
            raise DataError(
                f"{name}:{error.lineno}: {error.message}", mend="correct the template's syntax"
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
