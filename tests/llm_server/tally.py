"""What the server writes down, at once and for good, and what tests read from it.

One JSON line an event; `n` numbers requests, `at` is a time in seconds since the epoch:

    received   n, at, path, body (SHA-256), key (Idempotency-Key), model; with `bodies` also text
    billed     n, at, body, key, input_tokens, output_tokens
    answered   n, at, status, fault; written when the last byte has been handed over
    gone       n, at, fault; the answer could not be handed over, or the fault was to give none
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class Tally:
    """Appends events to a file: each is one write, so that a kill of the server loses none."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, event: str, **facts: Any) -> None:
        """Write one line."""
        os.write(self._file, json.dumps({"event": event, **facts}).encode() + b"\n")


class Counts:
    """What a log says, read once."""

    def __init__(self, path: Path) -> None:
        self.events: list[Event] = [json.loads(line) for line in path.read_text().splitlines()]

    def of(self, kind: str) -> list[Event]:
        """Events of a kind, in order."""
        return [event for event in self.events if event["event"] == kind]

    @property
    def received(self) -> int:
        """Requests that came."""
        return len(self.of("received"))

    @property
    def billed(self) -> int:
        """Answers that were billed."""
        return len(self.of("billed"))

    @property
    def billed_tokens(self) -> int:
        """Input and output tokens of all billed answers."""
        return sum(event["input_tokens"] + event["output_tokens"] for event in self.of("billed"))

    @property
    def distinct(self) -> int:
        """Different bodies that came."""
        return len({event["body"] for event in self.of("received")})

    @property
    def repeats(self) -> dict[str, int]:
        """How often more than once each body came, of those that did."""
        counts = Counter(event["body"] for event in self.of("received"))
        return {body: count - 1 for body, count in counts.items() if count > 1}

    @property
    def twice_billed(self) -> dict[str, int]:
        """How often more than once each body was billed, of those that were."""
        counts = Counter(event["body"] for event in self.of("billed"))
        return {body: count - 1 for body, count in counts.items() if count > 1}

    @property
    def statuses(self) -> Counter[int]:
        """Answers by HTTP status."""
        return Counter(event["status"] for event in self.of("answered"))

    @property
    def peak_in_flight(self) -> int:
        """Most requests that were open at once."""
        open_now = peak = 0
        for event in self.events:
            open_now += {"received": 1, "answered": -1, "gone": -1}.get(event["event"], 0)
            peak = max(peak, open_now)
        return peak
