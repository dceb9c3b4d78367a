"""How long something takes, for people."""

from __future__ import annotations


def readable(seconds: float) -> str:
    """Seconds as 0.4 s, 12 s, 3 min 20 s, or 2 h 05 min."""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
