"""Text providers by the name that a spec gives them."""

from __future__ import annotations

from typing import Any, Protocol

from grasp_bench.core.registry import Registry
from grasp_bench.text.subjects import Account, Subjects, Written


class TextProvider(Protocol):
    """Writes one non-blank text per subject, from nothing but the subjects and its own source."""

    def __init__(self, source: Any) -> None: ...

    def write(self, subjects: Subjects, account: Account) -> Written:
        """Texts in the order of the subjects."""
        ...


PROVIDERS = Registry[type[TextProvider]](
    "text provider",
    {
        "template": "grasp_bench.text.template:TemplateProvider",
        "precomputed": "grasp_bench.text.precomputed:PrecomputedProvider",
        "litellm": "grasp_bench.text.generated:LiteLLMProvider",
    },
)
