"""Environment variables that usually hold keys, known without importing litellm: for plans and checkups.

Whether a key is really there is for `keys` to say when requests are made: it knows more ways.
"""

from __future__ import annotations

import os
from pathlib import Path

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
    """The variable that should hold the service's key; None where none is needed, or none is known."""
    if service.api_key_env is not None:
        return service.api_key_env
    if service.api_base is not None:  # a server of one's own may ask for none
        return None
    return KEY_VARIABLES.get(provider_of(service.model) or "")


def is_set(variable: str, folder: Path) -> bool:
    """True when the environment has it, or `.env` in the folder."""
    if os.environ.get(variable):
        return True
    path = folder / ".env"
    if not path.is_file():
        return False
    from dotenv import dotenv_values

    return bool(dotenv_values(path).get(variable))
