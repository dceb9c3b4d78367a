"""How often keys occur, in fixed memory: what is rare for certain can be left out before it is stored."""

from __future__ import annotations

from zlib import crc32

SLOTS = 1 << 24
FULL = 255


class Sieve:
    """Counts of hashed keys, 16 MiB however many there are.

    Keys that share a slot add up, so a count is never too low: `may_reach` says no only for keys that
    are rare indeed. Counts end at 255.
    """

    def __init__(self) -> None:
        self._counts = bytearray(SLOTS)

    def add(self, key: bytes) -> None:
        """Count one occurrence."""
        slot = crc32(key) & (SLOTS - 1)
        count = self._counts[slot]
        if count < FULL:
            self._counts[slot] = count + 1

    def may_reach(self, key: bytes, least: int) -> bool:
        """False when the key was counted fewer than `least` times; True when it may not have been."""
        return self._counts[crc32(key) & (SLOTS - 1)] >= min(least, FULL)
