"""`semantic_ids:` — how items get the codes that generative methods read and predict.

One flat section with the keys of every method, as `model:` is. A key that is left out has the value
with which the method that reads the codes was published.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from grasp_bench.components import SEMANTIC_IDS
from grasp_bench.spec.section import Section, SemanticIdSettings
from grasp_bench.spec.section_fields import own_fields

METHOD = "method"


class SemanticIds(Section):
    """Codes of items, made from their vectors."""

    method: str | None
    vectors: Literal["text", "neighbours", "collaborative", "holistic"]

    def settings(self, published: Mapping[str, Any]) -> SemanticIdSettings:
        """Return the settings of the method, with `published` values of keys that the spec leaves out."""
        given = {name: value for name, value in self if value is not None}
        keys = {**published, **given}
        kind = SEMANTIC_IDS.get(keys.get(METHOD, SEMANTIC_IDS.default))
        return kind.model_validate({name: keys[name] for name in kind.model_fields if name in keys})

    def method_of(self, published: Mapping[str, Any]) -> str:
        """Return the name of the method."""
        return str(self.method or published.get(METHOD, SEMANTIC_IDS.default))


def _optional(annotation: Any, info: Any) -> tuple[Any, Any]:
    """Return a key that may be left out; the method's own value holds then."""
    bounded = Annotated[annotation, *info.metadata] if info.metadata else annotation
    return bounded | None, Field(None, description=info.description)


def _fields() -> dict[str, tuple[Any, Any]]:
    shared = {name: (info.annotation, info) for name, info in SemanticIdSettings.model_fields.items()}
    keys = {name: _optional(*field) for name, field in {**shared, **own_fields((SEMANTIC_IDS,))}.items()}
    return {
        "method": (
            Literal[*SEMANTIC_IDS] | None,
            Field(None, description="By default that of the method that reads the codes."),
        ),
        "vectors": (
            Literal["text", "neighbours", "collaborative", "holistic"],
            Field(
                "text",
                description="What is quantised: embeddings of items, means of their neighbours, the item "
                "table of a SASRec trained for it, or item vectors of GRASP's attention, trained for it.",
            ),
        ),
        **keys,
    }


if not TYPE_CHECKING:
    from pydantic import create_model

    SemanticIds = create_model(
        "SemanticIds", __base__=SemanticIds, __doc__=SemanticIds.__doc__, __module__=__name__, **_fields()
    )
