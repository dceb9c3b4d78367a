"""Recognise API keys in text and in names, so that they are not repeated in output."""

from __future__ import annotations

import re

# Keys have known prefixes (OpenAI, Anthropic, xAI, Perplexity, NVIDIA, Groq, Hugging Face, Replicate,
# Google, AWS, signed tokens), and a digit in their random part.
VALUE = re.compile(
    r"(?<![\w-])(?:(?:sk|xai|pplx|nvapi)-|(?:gsk|hf|r8)_|AIza|AKIA|eyJ)(?=[\w-]*\d)[\w-]{12,}", re.ASCII
)
NAME = re.compile(
    r"(?:api|access|auth|secret|private)[_-]?(?:key|token)|^(?:key|token|bearer)$"
    r"|secret|passw(?:or)?d|credential|authorization",
    re.IGNORECASE,
)


def looks_secret(text: str) -> bool:
    """Return True when a text holds something like a key."""
    return VALUE.search(text) is not None


def names_secret(name: str) -> bool:
    """Return True for names of keys: api_key, token, password."""
    return NAME.search(name) is not None


def masked(text: str) -> str:
    """Replace everything that looks like a key by ***."""
    return VALUE.sub("***", text)
