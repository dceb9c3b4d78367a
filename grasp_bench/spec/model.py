"""`model:` — one flat section with the keys of every backbone and enhancer, taken from their settings.

It is flat so that an ablation is one dotted key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, ValidationError, create_model, model_validator

from grasp_bench.components import BACKBONES, ENHANCERS
from grasp_bench.spec.section import (
    BackboneSettings,
    EnhancerSettings,
    ModelPart,
    Section,
    without_defaults,
)
from grasp_bench.spec.section_fields import own_fields, replace_fields

P = TypeVar("P", bound=ModelPart)


if TYPE_CHECKING:
    BackboneName = str
    EnhancerName = str
else:
    BackboneName = Literal[*BACKBONES]
    EnhancerName = Literal[*ENHANCERS]


class Model(Section):
    """The backbone, the enhancer and their keys."""

    backbone: str
    enhancer: str
    embedding_dim: int
    max_len: int
    dropout: float

    @model_validator(mode="after")
    def _consistent(self) -> Model:
        try:
            self.backbone_settings(), self.enhancer_settings()
        except ValidationError as error:  # each key alone is valid: the rest are a component's own checks
            raise ValueError(str(error.errors()[0]["ctx"]["error"])) from None
        return self

    def backbone_settings(self) -> BackboneSettings:
        """Return the part of this section that the backbone reads."""
        return self._part(BACKBONES.get(self.backbone))

    def enhancer_settings(self) -> EnhancerSettings:
        """Return the part of this section that the enhancer reads."""
        return self._part(ENHANCERS.get(self.enhancer))

    def effective(self) -> dict[str, Any]:
        """Return the keys that this backbone and enhancer read, named as in a spec.

        No other key is part of a cell's hash: `attention: softmax` does not change a cell without attention.
        Keys of `ModelPart.later` are left out where they have their default.
        """
        enhancer = self.enhancer_settings()
        parts: tuple[ModelPart, ...] = (self.backbone_settings(), enhancer)
        values = {"backbone": self.backbone, "enhancer": self.enhancer}
        if enhancer.whole_model:
            parts, values = (enhancer,), {"enhancer": self.enhancer}
        for part in parts:
            values |= without_defaults(part, part.later)
        return values

    def _part(self, settings: type[P]) -> P:
        return settings.model_validate({name: getattr(self, name) for name in settings.model_fields})


def _fields() -> dict[str, tuple[Any, Any]]:
    """Return annotation and field of each key: those of every backbone and enhancer, plugins included."""
    return {
        "backbone": (Literal[*BACKBONES], Field(BACKBONES.default)),
        "enhancer": (Literal[*ENHANCERS], Field(ENHANCERS.default)),
        **{name: (info.annotation, info) for name, info in ModelPart.model_fields.items()},
        **own_fields((BACKBONES, ENHANCERS)),
    }


if not TYPE_CHECKING:
    Model = create_model("Model", __base__=Model, __doc__=Model.__doc__, __module__=__name__, **_fields())


def follow_registries() -> None:
    """Take up names and keys of the components that are registered now."""
    replace_fields(Model, _fields())
