"""Parse provider answers into text or vectors, with the reason why they ended and the tokens they took.

The provider's own body decides. litellm's object is read when the body has an unknown form.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

MOST_COUNTED = 10**9  # larger token counts of one request are not believed

# Finish reasons of providers, in lower case without separators.
COMPLETE = frozenset(
    {
        "stop", "stopsequence", "endturn", "endofturn", "complete", "completed", "finished", "done", "eos",
        "eostoken", "finishreasonstop",
    }
)  # fmt: skip
OVER_LONG = frozenset(
    {
        "length", "maxtokens", "maxlength", "modellength", "modelcontextwindowexceeded", "maxoutputtokens",
        "contextlength", "contextlengthexceeded", "tokenlimit", "compaction",
    }
)  # fmt: skip
FILTERED = frozenset(
    {
        "contentfilter", "contentfiltered", "refusal", "safety", "recitation", "blocklist", "language",
        "prohibitedcontent", "spii", "sensitive", "guardrailintervened", "errortoxic",
    }
)  # fmt: skip
BROKEN_OFF = frozenset(
    {
        "error", "abort", "aborted", "cancelled", "canceled", "networkerror", "insufficientsystemresource",
        "servererror", "internalerror", "timeout", "overloaded", "malformedresponse", "engineoverloaded",
    }
)  # fmt: skip
INCOMPLETE = "incomplete"

REASON_KEYS = (
    "native_finish_reason", "finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason",
)  # fmt: skip
INPUT_KEYS = frozenset(
    {"prompt_tokens", "input_tokens", "promptTokenCount", "prompt_eval_count", "inputTokens",
     "inputTextTokenCount", "input_token_count"}
)  # fmt: skip
OUTPUT_KEYS = frozenset(
    {"completion_tokens", "output_tokens", "candidatesTokenCount", "eval_count", "outputTokens",
     "generated_token_count", "generated_tokens", "tokenCount"}
)  # fmt: skip


class Unreadable(Exception):
    """An answer of an unknown form; the message says what is wrong, never the content."""


class BrokenOff(Exception):
    """An answer that the provider broke off; the message is the provider's reason."""


def read_chat(body: Any, response: Any, most_output: int) -> tuple[str, str]:
    """Return the text and "stop", "length", "refusal", "content_filter" or "incomplete".

    An unknown reason is "incomplete". Without a reason, an answer with all the tokens allowed counts as cut
    off ("length"). Raises Unreadable and BrokenOff.
    """
    choices = body.get("choices") if isinstance(body, Mapping) else None
    if choices is None:
        return _wrapped_chat(body, response, most_output)
    if not isinstance(choices, list):
        raise Unreadable("'choices' is no list")
    if not choices:
        return "", "stop"
    choice = choices[0]
    if isinstance(choice, Mapping) and isinstance(choice.get("text"), str):  # a model that completes text
        return choice["text"], _ending(_reason(choice), body, most_output)
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(message, Mapping):
        raise Unreadable("the first choice has no message")
    text = _text_of(message.get("content"))
    if message.get("refusal"):
        return text, "refusal"
    return text, _ending(_reason(choice), body, most_output)


def _wrapped_chat(body: Any, response: Any, most_output: int) -> tuple[str, str]:
    """Read a body that is not in OpenAI's form: litellm's text, and the body's own reason."""
    if response is None or not hasattr(response, "choices"):
        raise Unreadable("no JSON" if body is None else "'choices' is missing")
    if not response.choices:
        return "", "stop"
    choice = response.choices[0]
    message = choice.message
    fields = getattr(message, "provider_specific_fields", None) or {}
    text = _text_of(message.content)
    if fields.get("refusal") or getattr(message, "refusal", None):
        return text, "refusal"
    reason = _reason(body) or fields.get("native_finish_reason") or choice.finish_reason
    return text, _ending(reason, body, most_output)


def _text_of(content: Any) -> str:
    """Return the text of a message: a string, or the text parts of a list."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
        if all(isinstance(part, str) or part is None for part in parts):
            return "".join(part for part in parts if part)
    raise Unreadable("the message's content is neither text nor parts of text")


def _reason(holder: Any) -> Any:
    """Return the finish reason of a choice, or of a body in another form; None without one."""
    for place in _places(holder):
        for key in REASON_KEYS:
            if place.get(key) is not None:
                return place[key]
    return None


def _places(holder: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(holder, Mapping):
        yield holder
        for key in ("candidates", "results", "generations", "outputs"):
            inner = holder.get(key)
            if isinstance(inner, list) and inner and isinstance(inner[0], Mapping):
                yield inner[0]


def _ending(reason: Any, body: Any, most_output: int) -> str:
    if reason is None or reason == "":
        counted = _counted(body, OUTPUT_KEYS)
        return "length" if counted is not None and counted >= most_output else "stop"
    word = "".join(letter for letter in str(reason).casefold() if letter.isalnum())
    if word in BROKEN_OFF:
        raise BrokenOff(str(reason)[:40])
    if word in FILTERED:
        return "content_filter"
    if word in OVER_LONG:
        return "length"
    return "stop" if word in COMPLETE else INCOMPLETE


def read_vectors(body: Any, response: Any, count: int, width: int | None) -> list[np.ndarray]:
    """Return `count` vectors (D,) float32 in the order of the texts, each finite and not zero.

    An entry without an index has its place in the list. `width` is the number of dimensions, if known.
    Raises Unreadable, which names the entry and the fault.
    """
    data = body.get("data") if isinstance(body, Mapping) else None
    if data is None:
        data = getattr(response, "data", None)
    if not isinstance(data, Sequence) or isinstance(data, str | bytes):
        raise Unreadable("no JSON" if body is None and response is None else "'data' is no list of vectors")
    if len(data) != count:
        raise Unreadable(f"{len(data)} vectors for {count} texts")
    rows: list[np.ndarray | None] = [None] * count
    for place, entry in enumerate(data):
        index = _index(entry, place, count)
        if rows[index] is not None:
            raise Unreadable(f"index {index} comes twice")
        rows[index] = _vector(entry, index)
    found = [row for row in rows if row is not None]
    widths = {row.size for row in found}
    if len(widths) > 1:
        raise Unreadable(f"vectors of different widths: {', '.join(map(str, sorted(widths)))}")
    if width is not None and widths != {width}:
        raise WrongWidth(widths.pop(), width)
    return found


class WrongWidth(Unreadable):
    """Vectors of a width other than the requested one, or than that of earlier vectors."""

    def __init__(self, found: int, wanted: int) -> None:
        super().__init__(f"the model gave {found} dimensions, not {wanted}")
        self.found = found
        self.wanted = wanted


def _index(entry: Any, place: int, count: int) -> int:
    index = _field(entry, "index")
    if index is None:
        return place
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
        raise Unreadable(f"entry {place} has index {str(index)[:20]!s}, not one of 0 to {count - 1}")
    return index


def _vector(entry: Any, index: int) -> np.ndarray:
    values = _field(entry, "embedding")
    try:
        if isinstance(values, str):
            vector = np.frombuffer(base64.b64decode(values, validate=True), dtype="<f4")
        else:
            with np.errstate(over="ignore"):  # becomes infinity, which is refused below
                vector = np.asarray(values, dtype="<f4")
    except binascii.Error:
        raise Unreadable(f"vector {index} is not base64") from None
    except (TypeError, ValueError, OverflowError):
        kind = "base64 of 32-bit floats" if isinstance(values, str) else "numbers"
        raise Unreadable(f"vector {index} is not made of {kind}") from None
    if vector.ndim != 1 or not vector.size:
        raise Unreadable(f"vector {index} is empty" if not vector.size else f"vector {index} is no flat list")
    if (wrong := vector_fault(vector)) is not None:
        raise Unreadable(f"vector {index} {wrong}")
    return vector


def vector_fault(vector: np.ndarray) -> str | None:
    """Return the fault of a vector (D,): "holds NaN or infinity", "is zero", or None."""
    if not np.isfinite(vector).all():
        return "holds NaN or infinity"
    return None if vector.any() else "is zero"


def _field(entry: Any, name: str) -> Any:
    return entry.get(name) if isinstance(entry, Mapping) else getattr(entry, name, None)


def tokens_of(body: Any, response: Any, most: tuple[int, int], has_output: bool) -> tuple[int, int]:
    """Return input and output tokens; a missing or wrong count becomes the upper bound in `most`.

    `has_output` means that the answer holds text, so that a count of 0 is wrong.
    """
    usage = getattr(response, "usage", None)
    wrapped = [getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
    sides = []
    for keys, reported, bound, least in (
        (INPUT_KEYS, wrapped[0], most[0], 1),
        (OUTPUT_KEYS, wrapped[1], most[1], int(has_output)),
    ):
        own = _counted(body, keys) if body is not None else _whole(reported)
        if own is None and body is not None and not bound:
            own = 0  # an embedding has no output tokens
        # litellm adds tokens that some providers count separately: reasoning, cached prompts.
        counted = own if own is None else max(own, _whole(reported) or 0)
        sides.append(bound if counted is None or counted < least else counted)
    return sides[0], sides[1]


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MOST_COUNTED else None


def _counted(body: Any, keys: frozenset[str]) -> int | None:
    """Return the first integer under one of the keys, where providers put their counts."""
    if not isinstance(body, Mapping):
        return None
    places = [body, *(body.get(name) for name in ("usage", "usageMetadata", "meta"))]
    places += [
        place.get(name)
        for place in places
        if isinstance(place, Mapping)
        for name in ("tokens", "billed_units")
    ]
    results = body.get("results")
    places += results[:1] if isinstance(results, list) else []
    for place in places:
        if isinstance(place, Mapping) and (found := keys & place.keys()):
            return _whole(place[min(found)])
    return None
