"""Requests to a service, and the keys of their answers in the ledger."""

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
    """One request: its arguments, and the ledger keys of its answers.

    `keys` holds one key for a chat, or one for each text of an embedding batch, in the order of
    `arguments["input"]`. `arguments` are litellm's, without model, address, key, timeout and retries.
    `most_input` and `most_output` are upper bounds in tokens, which the budget reserves. `about` names
    the request in errors ("items 'B0001'"), never its text. `width` is the vectors' dimension, if known.
    """

    keys: tuple[bytes, ...]
    arguments: Mapping[str, Any] = field(repr=False)
    most_input: int
    most_output: int
    about: str
    width: int | None = None

    @property
    def name(self) -> str:
        """The key of the whole request, in hexadecimal; other batches have other names."""
        joined = b"".join(self.keys)
        whole = joined if len(self.keys) == 1 else hashlib.sha256(joined).digest()[:KEY_BYTES]
        return whole.hex()


def request_key(kind: Kind, service: Service, arguments: Mapping[str, Any], template: str = "") -> bytes:
    """Hash a request to 16 bytes, the same on every machine.

    `template` is the template's name or content hash. For a batch of texts, call this once for each text with
    `input=[text]`: an answer does not depend on its batch.
    """
    whole = [kind, service.model, service.api_base, dict(arguments), template]
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).digest()[:KEY_BYTES]


def service_name(service: Service) -> str:
    """Return 16 hexadecimal digits that identify a service in file names."""
    return hashlib.sha256(json.dumps([service.model, service.api_base]).encode()).hexdigest()[:16]
