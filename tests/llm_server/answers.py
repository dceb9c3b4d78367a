"""What the server says: chat answers and embeddings that depend on nothing but the request."""

from __future__ import annotations

import base64
import hashlib
import math
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llm_server.settings import Fault, Settings

REFUSAL = "I'm sorry, but I can't help with that request."
BYTES_PER_TOKEN = 4  # a rule of thumb for English; no tokenizer makes more tokens than bytes
TOKENS_PER_MESSAGE = 4


@dataclass(frozen=True)
class Reply:
    """A generated answer and what it is billed for."""

    value: dict[str, Any]
    input_tokens: int
    output_tokens: int


def tokens_of(text: str) -> int:
    """Tokens that the server counts."""
    return math.ceil(len(text.encode()) / BYTES_PER_TOKEN)


def chat(request: dict[str, Any], settings: Settings, fault: Fault | None) -> Reply:
    """Answer a chat completion, cut at its max_tokens as models do."""
    prompt = "\n".join(str(message["content"]) for message in request["messages"])
    digest = hashlib.sha256(prompt.encode()).hexdigest()[:12]
    content = settings.answer.replace("{digest}", digest).replace("{prompt}", prompt[-settings.echo :])
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": content, "refusal": None},
        "finish_reason": "stop",
    }
    if fault is not None and fault.kind in SPOIL_CHAT:
        SPOIL_CHAT[fault.kind](choice, fault)
    content = choice["message"]["content"]
    most = request.get("max_tokens") or request.get("max_completion_tokens")
    if content and most and tokens_of(content) > most:
        content = content.encode()[: most * BYTES_PER_TOKEN].decode(errors="ignore")
        choice["message"]["content"], choice["finish_reason"] = content, "length"
    asked = sum(TOKENS_PER_MESSAGE + tokens_of(str(message["content"])) for message in request["messages"])
    said = tokens_of(content or choice["message"]["refusal"] or "")
    value = {
        "id": f"chatcmpl-{digest}",
        "object": "chat.completion",
        "created": 1,
        "model": request["model"],
        "choices": [choice],
        "usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said},
    }
    return Reply(_miscounted(value, fault), asked, said)


def embeddings(request: dict[str, Any], settings: Settings, fault: Fault | None) -> Reply:
    """Answer an embedding request: one vector of unit norm per text, in the encoding that is asked for."""
    texts = [request["input"]] if isinstance(request["input"], str) else request["input"]
    width = request.get("dimensions") or settings.width
    if fault is not None and fault.kind == "wrong_width":
        width += 1
    vectors = [vector_of(text, width) for text in texts]
    plain = request.get("encoding_format", "float") == "float"
    asked = sum(tokens_of(text) for text in texts)
    value = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": k, "embedding": vector if plain else _packed(vector)}
            for k, vector in enumerate(vectors)
        ],
        "model": request["model"],
        "usage": {"prompt_tokens": asked, "total_tokens": asked},
    }
    return Reply(_miscounted(value, fault), asked, 0)


def vector_of(text: str, width: int) -> list[float]:
    """The vector of a text: seeded by its SHA-256, unit norm, (width,) float32 values."""
    draw = random.Random(hashlib.sha256(text.encode()).digest())
    values = [draw.gauss(0.0, 1.0) for _ in range(width)]
    norm = math.sqrt(sum(value * value for value in values))
    return list(struct.unpack(f"<{width}f", struct.pack(f"<{width}f", *(v / norm for v in values))))


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _miscounted(value: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
    if fault is not None and fault.kind == "no_usage":
        del value["usage"]
    if fault is not None and fault.kind == "odd_usage":
        value["usage"] = dict.fromkeys(value["usage"], fault.tokens)
    return value


def _says(text: str) -> Callable[[dict[str, Any], Fault], None]:
    def change(choice: dict[str, Any], fault: Fault) -> None:
        choice["message"]["content"] = text

    return change


def _says_given(choice: dict[str, Any], fault: Fault) -> None:
    choice["message"]["content"] = fault.text


def _refuses(choice: dict[str, Any], fault: Fault) -> None:
    choice["message"].update(content=None, refusal=REFUSAL)


def _ends(reason: str) -> Callable[[dict[str, Any], Fault], None]:
    def change(choice: dict[str, Any], fault: Fault) -> None:
        content = choice["message"]["content"]
        choice["message"]["content"] = content[: len(content) // 2]
        choice["finish_reason"] = reason

    return change


SPOIL_CHAT: dict[str, Callable[[dict[str, Any], Fault], None]] = {
    "empty": _says(""),
    "na": _says("NA"),
    "says": _says_given,
    "refusal": _refuses,
    "refusal_prose": _says(REFUSAL),
    "length": _ends("length"),
    "content_filter": _ends("content_filter"),
}
