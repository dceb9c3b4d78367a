"""A file that is not whole yet, and which version of which address its bytes are from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from grasp_bench.core import atomic


@dataclass(frozen=True)
class Part:
    """`<name>.part`, and beside it `<name>.part.json` with address and validator."""

    path: Path
    url: str

    @classmethod
    def of(cls, target: Path, url: str) -> Part:
        """The part of a file that is to be."""
        return cls(target.with_name(target.name + ".part"), url)

    @property
    def _note(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def size(self) -> int:
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def validator(self) -> str | None:
        """The version whose bytes are here; None when nothing can be gone on from."""
        if not self.size():
            return None
        try:
            known = json.loads(self._note.read_text(encoding="utf-8"))
            validator = known["validator"] if known["url"] == self.url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return validator if isinstance(validator, str) else None

    def begin(self, validator: str | None) -> None:
        """Forget what is here and note which version comes."""
        self.discard()
        atomic.write_json(self._note, {"url": self.url, "validator": validator})

    def discard(self) -> None:
        """Forget what is here."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Give the whole file its name."""
        self.path.replace(target)
        atomic.fsync_path(target.parent)
        self._note.unlink(missing_ok=True)
