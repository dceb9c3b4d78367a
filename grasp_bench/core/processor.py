"""What the CPU can do, as far as Linux says so."""

from __future__ import annotations

import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# Linux names of the instructions that multiply bfloat16: Intel and AMD, then ARM.
BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def features() -> frozenset[str]:
    """Names of instruction sets; empty where there is no /proc/cpuinfo."""
    try:
        found = re.search(
            r"^(?:flags|Features)\s*:\s*(.+)$", CPUINFO.read_text(errors="replace"), re.MULTILINE
        )
    except OSError:
        return frozenset()
    return frozenset(found.group(1).split()) if found else frozenset()


def has_bfloat16() -> bool:
    """True when the CPU multiplies bfloat16 itself; systems other than Linux count as without."""
    return not BFLOAT16.isdisjoint(features())
