"""How many tokens a text is to a model: exactly for OpenAI's models, nearly for others, at most for any.

The encodings are the files that litellm brings along: nothing is downloaded. Chat requests have
tokens of their own, as OpenAI documents them (cookbook, "How to count tokens with tiktoken").
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
# What a chat template may add to one prompt and its system message: marks, roles, and of some models
# (Qwen, Llama 3) a default system message with today's date.
MOST_CHAT_TOKENS = 64
USUAL_ENCODING = "cl100k_base"  # the nearest to models that publish none here: Llama 3 and Qwen extend it
# The only OpenAI names in front of a model whose own encoding tiktoken knows.
OPENAI = frozenset({"", "openai", "azure", "azure_ai", "text-completion-openai"})
ANOTHER_CHAT_FORMAT = ("gpt-oss",)  # its prompts begin with a long system message of their own
BYTES_PER_TOKEN = 4
_FILES = "https://openaipublic.blob.core.windows.net/encodings"


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """Counts tokens of texts as a model sees them; `exact` is False where its encoding is guessed."""

    count: Callable[[str], int]
    exact: bool

    def count_chat(self, contents: Sequence[str]) -> int:
        """Input tokens of one request whose messages (system, user) have these contents."""
        return sum(TOKENS_PER_MESSAGE + self.count(content) for content in contents) + TOKENS_PER_ANSWER


def most_tokens(text: str) -> int:
    """A bound that no byte-level tokenizer exceeds: a token is a byte or more, besides the chat's own."""
    return len(text.encode("utf-8", errors="replace")) + MOST_CHAT_TOKENS


@lru_cache(maxsize=16)
def counter(model: str) -> TokenCounter:
    """The counter for litellm's name of a model; unknown models are counted by a usual encoding."""
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
    """Name of the encoding that OpenAI gave the model; None for models of others."""
    from tiktoken.model import encoding_name_for_model

    providers, _, name = model.rpartition("/")
    if providers.rpartition("/")[2] not in OPENAI or name.startswith(ANOTHER_CHAT_FORMAT):
        return None
    try:
        return encoding_name_for_model(name)
    except KeyError:
        return None


def _encoding(name: str) -> Encoding | None:
    """An encoding whose file litellm brings along; None when it does not."""
    import tiktoken

    spec = find_spec("litellm")  # of a top-level package: looked for, not imported
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "litellm_core_utils" / "tokenizers"
    # tiktoken's name of the file: were it not there, tiktoken would go and download it.
    if not (folder / hashlib.sha1(f"{_FILES}/{name}.tiktoken".encode()).hexdigest()).is_file():
        return None
    # Left set, as litellm does: it is read again whenever an encoding is loaded.
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
    return tiktoken.get_encoding(name)
