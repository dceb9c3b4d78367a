"""Find API keys in the environment or in a `.env` that git ignores, never in a spec.

Values of `.env` are used but not exported: no child process inherits them. `variable_of` and `is_set` work
without litellm, for plans and diagnostics; `find_credentials` knows more ways and decides.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from grasp_bench.core.errors import ServiceError
from grasp_bench.services.prices import provider_of
from grasp_bench.spec.service import Service

KEY_VARIABLES = {
    "openai": "OPENAI_API_KEY",
    "azure": "AZURE_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "mistral": "MISTRAL_API_KEY",
    "groq": "GROQ_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "together_ai": "TOGETHERAI_API_KEY",
    "cohere": "COHERE_API_KEY",
    "voyage": "VOYAGE_API_KEY",
}


def variable_of(service: Service) -> str | None:
    """Return the variable that should hold the service's key; None when none is needed or known."""
    if service.api_key_env is not None:
        return service.api_key_env
    if service.api_base is not None:  # the user's own server may need none
        return None
    return KEY_VARIABLES.get(provider_of(service.model) or "")


def is_set(variable: str, folder: Path) -> bool:
    """Return True when the environment or `.env` in the folder sets the variable."""
    if os.environ.get(variable):
        return True
    path = folder / ".env"
    if not path.is_file():
        return False
    from dotenv import dotenv_values

    return bool(dotenv_values(path).get(variable))


NO_KEY = "none"  # the user's own server needs no key, its client library does
# Other variables that litellm reads, and the arguments that replace them.
ARGUMENTS = {
    "AZURE_API_BASE": "api_base",
    "AZURE_API_VERSION": "api_version",
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
    "AWS_REGION_NAME": "aws_region_name",
    "VERTEXAI_PROJECT": "vertex_project",
    "VERTEXAI_LOCATION": "vertex_location",
}
# Providers with other ways to authenticate (roles, profiles, application default credentials).
OTHER_WAYS = ("AWS_", "VERTEXAI_", "OLLAMA_")


@dataclass(frozen=True)
class Credentials:
    """Arguments for litellm with the key, a name for the key, and the values to redact."""

    arguments: Mapping[str, str] = field(repr=False)
    key_name: str
    secrets: frozenset[str] = field(repr=False)


def find_credentials(service: Service, litellm: Any, folder: Path) -> Credentials:
    """Return the key of a service, from the environment or `.env` in `folder` (the working directory).

    A server with its own `api_base` may need none. A provider's usual key is not sent unencrypted to another
    machine unless `api_key_env` names it. Raises ServiceError naming the missing variables, or when git does
    not ignore `.env`.
    """
    if service.api_key_env is not None:
        key = os.environ.get(service.api_key_env) or _from_file([service.api_key_env], folder).get("api_key")
        if not key:
            raise _missing([service.api_key_env], service.model)
        return Credentials({"api_key": key}, service.api_key_env, frozenset({key}))
    if service.api_base is not None and _is_unencrypted(service.api_base):
        return Credentials({"api_key": NO_KEY}, "the variable that api_key_env names", frozenset())
    known = litellm.validate_environment(model=service.model)
    wanted: list[str] = known["missing_keys"]
    if known["keys_in_environment"]:  # litellm reads it itself
        name = KEY_VARIABLES.get(provider_of(service.model) or "", "the provider's variable")
        return Credentials({}, name, frozenset())
    found = _from_file(wanted, folder) if wanted else {}
    if service.api_base is not None:
        found = {"api_key": NO_KEY} | {name: found[name] for name in found if name != "api_base"}
    elif "api_key" not in found and any(not name.startswith(OTHER_WAYS) for name in wanted):
        raise _missing(wanted, service.model)
    secrets = frozenset(found.values()) - {NO_KEY}
    return Credentials(found, " or ".join(wanted) or "the environment", secrets)


def _from_file(names: Sequence[str], folder: Path) -> dict[str, str]:
    """Return the values of these variables in `.env`, by litellm's argument."""
    path = folder / ".env"
    if not path.is_file():
        return {}
    _refuse_if_shared(path)
    from dotenv import dotenv_values

    values = dotenv_values(path)
    return {ARGUMENTS.get(name, "api_key"): value for name in names if (value := values.get(name))}


def _refuse_if_shared(path: Path) -> None:
    """Raise ServiceError when a commit could include `.env`."""
    inside = any((folder / ".git").exists() for folder in path.resolve().parents)
    if not inside:
        return
    try:
        asked = subprocess.run(
            ["git", "check-ignore", "-q", path.name], cwd=path.parent, capture_output=True, check=False
        )
        ignored = asked.returncode == 0
    except FileNotFoundError:
        ignored = False  # a repository, but no git to ask
    if not ignored:
        raise ServiceError(
            f"{path}: git does not ignore it, so that a commit would publish the keys in it",
            hint="add .env to .gitignore; where git has it already: git rm --cached .env",
        )


def _is_unencrypted(address: str) -> bool:
    """Return True for an unencrypted connection to another machine."""
    parts = urlsplit(address)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return False
    try:
        return not ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return True


def _missing(names: Sequence[str], model: str) -> ServiceError:
    return ServiceError(
        f"{model}: no key: {' and '.join(names)} is set neither in the environment nor in .env",
        hint=f"export {names[-1]}=…, write it into a .env that git ignores, or name another: api_key_env",
    )
