"""Count the tokens of a text: exactly for OpenAI's models, nearly for others, and an upper bound for any.

The encodings are files that litellm carries: nothing is downloaded. A chat request has further tokens, as
OpenAI documents (cookbook, "How to count tokens with tiktoken").
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

TOKENS_PER_MESSAGE = 4  # <|start|>, the role, and two around the content
TOKENS_PER_ANSWER = 3  # every answer is primed with <|start|>assistant<|message|>
# Upper bound of what a chat template adds: marks, roles, and for some models (Qwen, Llama 3) a default
# system message with today's date.
MOST_CHAT_TOKENS = 64
USUAL_ENCODING = "cl100k_base"  # the nearest for other models: Llama 3 and Qwen extend it
# Prefixes of models whose encoding tiktoken knows.
OPENAI = frozenset({"", "openai", "azure", "azure_ai", "text-completion-openai"})
ANOTHER_CHAT_FORMAT = ("gpt-oss",)  # its prompts begin with a long system message
BYTES_PER_TOKEN = 4
_FILES = "https://openaipublic.blob.core.windows.net/encodings"


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """Counts a model's tokens; `exact` is False when the encoding is a guess."""

    count: Callable[[str], int]
    exact: bool

    def count_chat(self, contents: Sequence[str]) -> int:
        """Count the input tokens of a request with these messages (system, user)."""
        return sum(TOKENS_PER_MESSAGE + self.count(content) for content in contents) + TOKENS_PER_ANSWER


def most_tokens(text: str) -> int:
    """Return an upper bound for any byte-level tokenizer: one token per byte, and those of the chat."""
    return len(text.encode("utf-8", errors="replace")) + MOST_CHAT_TOKENS


@lru_cache(maxsize=16)
def counter(model: str) -> TokenCounter:
    """Return the counter of a model by litellm's name; unknown models get cl100k_base."""
    name = _own_encoding(model)
    own = _encoding(name) if name is not None else None
    encoding = own or _encoding(USUAL_ENCODING)
    if encoding is None:
        return TokenCounter(_count_bytes, exact=False)
    ordinary = encoding.encode_ordinary  # "<|endoftext|>" in a prompt is text, as it is to the API
    return TokenCounter(lambda text: len(ordinary(text)), exact=own is not None)


def _count_bytes(text: str) -> int:
    return -(-len(text.encode("utf-8", errors="replace")) // BYTES_PER_TOKEN)


def _own_encoding(model: str) -> str | None:
    """Return the name of an OpenAI model's encoding; None for other models."""
    from tiktoken.model import encoding_name_for_model

    providers, _, name = model.rpartition("/")
    if providers.rpartition("/")[2] not in OPENAI or name.startswith(ANOTHER_CHAT_FORMAT):
        return None
    try:
        return encoding_name_for_model(name)
    except KeyError:
        return None


def _encoding(name: str) -> Encoding | None:
    """Return an encoding whose file litellm carries; None when it does not."""
    import tiktoken

    spec = find_spec("litellm")  # does not import a top-level package
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "litellm_core_utils" / "tokenizers"
    # tiktoken's name of the file; without the file tiktoken would download it.
    if not (folder / hashlib.sha1(f"{_FILES}/{name}.tiktoken".encode()).hexdigest()).is_file():
        return None
    # Left set, as litellm does: it is read again whenever an encoding is loaded.
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
    return tiktoken.get_encoding(name)
