"""What a key of access looks like, so that none is repeated where people or files could see it."""

from __future__ import annotations

import re

# What providers hand out begins alike (OpenAI, Anthropic, xAI, Perplexity, NVIDIA, Groq, Hugging Face,
# Replicate, Google, AWS, signed tokens) and goes on at random, so that there is a digit in it.
VALUE = re.compile(
    r"(?<![\w-])(?:(?:sk|xai|pplx|nvapi)-|(?:gsk|hf|r8)_|AIza|AKIA|eyJ)(?=[\w-]*\d)[\w-]{12,}", re.ASCII
)
NAME = re.compile(
    r"(?:api|access|auth|secret|private)[_-]?(?:key|token)|^(?:key|token|bearer)$"
    r"|secret|passw(?:or)?d|credential|authorization",
    re.IGNORECASE,
)


def looks_secret(text: str) -> bool:
    """True where a text holds something like a key of access."""
    return VALUE.search(text) is not None


def names_secret(name: str) -> bool:
    """True for names that keys of access are given: api_key, token, password."""
    return NAME.search(name) is not None


def masked(text: str) -> str:
    """The text with everything that looks like a key of access left out."""
    return VALUE.sub("***", text)
