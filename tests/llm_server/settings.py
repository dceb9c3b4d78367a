"""How the test server behaves: everything that can be asked of it, as plain data that fits into JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal

KINDS = (
    # Before or instead of an answer: nothing is generated, so nothing is billed.
    "status", "stall", "cut", "content_filter_error",
    # The answer is generated and billed, and does not arrive whole.
    "cut_body", "malformed", "body", "redirect",
    # The answer arrives, and is not what was hoped for.
    "empty", "na", "says", "refusal", "refusal_prose", "length", "content_filter", "no_usage", "odd_usage",
    "wrong_width",
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One way of going wrong, and which requests it hits.

    `rate` is a share drawn with the server's seed; `first` hits only so many requests, `matching` only
    those whose body holds these characters. `status` and `retry_after` (seconds) belong to kind
    "status", `text` to kind "says", `tokens` (each count) to kind "odd_usage". "body" answers `text` as it
    stands, of `status`; "redirect" answers `status` and leads to the address `text`.
    """

    kind: str
    rate: float = 1.0
    first: int | None = None
    matching: str | None = None
    status: int = 500
    retry_after: int | None = None
    text: str = ""
    tokens: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; one of {', '.join(KINDS)}")


@dataclass(frozen=True)
class Settings:
    """One server.

    `latency` and `jitter` in seconds: an answer takes latency ± jitter, uniformly. `api_key`: other keys
    get 401, which repeats them. `width`: of embeddings; a request's `dimensions` goes before it.
    `requests_per_second`: more in a second get 429, with Retry-After as `retry_after` says. `answer`: what
    chat says; {digest} and {prompt} (its last `echo` characters) are filled in. `bodies`: log whole bodies.
    `honours_idempotency_key`: a repeated key gets the answer of the first time and is not billed again.
    """

    port: int = 0
    latency: float = 0.0
    jitter: float = 0.0
    seed: int = 0
    api_key: str | None = None
    width: int = 8
    answer: str = "{digest} {prompt}"
    echo: int = 200
    requests_per_second: int | None = None
    retry_after: Literal["seconds", "date", "absent"] = "seconds"
    retry_after_seconds: int = 1
    honours_idempotency_key: bool = False
    bodies: bool = False
    certificate: tuple[str, str] | None = None  # paths of certificate and private key: HTTPS
    faults: tuple[Fault, ...] = ()

    def to_json(self) -> str:
        """One line, for the server's command line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Inverse of `to_json`; unknown keys are errors."""
        return cls().changed(json.loads(text))

    def changed(self, values: dict[str, Any]) -> Settings:
        """These settings with some of them replaced."""
        if "faults" in values:
            faults = (fault if isinstance(fault, Fault) else Fault(**fault) for fault in values["faults"])
            values = {**values, "faults": tuple(faults)}
        return dataclasses.replace(self, **values)
