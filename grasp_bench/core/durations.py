"""Format durations for people."""

from __future__ import annotations


def readable(seconds: float) -> str:
    """Format seconds as 0.4 s, 12 s, 3 min 20 s, or 2 h 05 min."""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def roughly(seconds: float) -> str:
    """Format an estimate of seconds coarsely: 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    minutes = 5 * round(minutes / 5)
    return f"{minutes // 60} h {minutes % 60:02d} min"
