"""What is asked of a service: one request, and the keys under which its answers are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from grasp_bench.spec.service import Service

Kind = Literal["chat", "embedding"]
KEY_BYTES = 16  # half a SHA-256: among a billion requests two share a key with probability 1e-21


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """One request: what is sent, and the ledger keys that its answers get.

    `keys` has one key of a chat, and one per text of an embedding batch, in the order of
    `arguments["input"]`. `arguments` are litellm's, besides model, address, key, timeout and retries.
    `most_input` and `most_output` are upper bounds in tokens, which the budget reserves. `about` names
    the request in errors ("items 'B0001'"), never by its text. `width` is that of the vectors, where it
    is known.
    """

    keys: tuple[bytes, ...]
    arguments: Mapping[str, Any] = field(repr=False)
    most_input: int
    most_output: int
    about: str
    width: int | None = None

    @property
    def name(self) -> str:
        """The whole request's key, in hexadecimal: a batch that is cut otherwise is another request."""
        joined = b"".join(self.keys)
        whole = joined if len(self.keys) == 1 else hashlib.sha256(joined).digest()[:KEY_BYTES]
        return whole.hex()


def request_key(kind: Kind, service: Service, arguments: Mapping[str, Any], template: str = "") -> bytes:
    """Hash of the whole request: 16 bytes, the same on every machine.

    `template` is the template's name or content hash. For a batch of texts, call it once per text with
    `input=[text]`: an answer does not depend on the batch that it came in.
    """
    whole = [kind, service.model, service.api_base, dict(arguments), template]
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).digest()[:KEY_BYTES]


def service_name(service: Service) -> str:
    """What tells services apart, in a file's name: sixteen hexadecimal digits."""
    return hashlib.sha256(json.dumps([service.model, service.api_base]).encode()).hexdigest()[:16]
