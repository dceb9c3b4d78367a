"""Base classes of the settings that a component declares: its keys, its checks, what it reads."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from grasp_bench.spec.section import Section


class Component(Section):
    """Settings of one component; `implementation` is the "module:Class" that they build.

    A settings module imports no torch: the spec reads it, and only a worker imports the implementation.
    """

    implementation: ClassVar[str]


class ModelPart(Component):
    """Settings of a backbone or an enhancer: the keys of `model:` that both read, and its own.

    A subclass may check its keys with a `model_validator(mode="after")`.
    """

    embedding_dim: int = Field(64, ge=2, description="The paper's d, hidden width of the backbone.")
    max_len: int = Field(100, ge=2)
    dropout: float = Field(0.5, ge=0, lt=1)

    @classmethod
    def own_fields(cls) -> dict[str, Any]:
        """Annotation and field of each key that only this component declares, by attribute."""
        return {
            name: (info.annotation, info)
            for name, info in cls.model_fields.items()
            if name not in ModelPart.model_fields
        }

    @classmethod
    def own_keys(cls) -> tuple[str, ...]:
        """Its own keys, as a spec writes them."""
        return tuple(info.alias or name for name, (_, info) in cls.own_fields().items())


class BackboneSettings(ModelPart):
    """Settings of a backbone.

    Attributes:
        masked_training: it learns to fill in masked items instead of predicting the next one.
    """

    masked_training: ClassVar[bool] = False

    def looks_ahead(self) -> str | None:
        """Why a position sees later items, as the end of "…: it …"; None for a causal backbone."""
        return None


class EnhancerSettings(ModelPart):
    """Settings of an enhancer.

    Attributes:
        reads: roles of the artefacts that it reads besides split and candidates; it waits for no other.
        reads_profile_per_position: its item vectors depend on the user, so that each training position can
            have the profile of the items before it (`text.users.scope: prefix`).
        shuffled_control: its gain is said to come from whose embeddings it reads, so the control
            `shuffled` trains it on those of others.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    reads_profile_per_position: ClassVar[bool] = False
    shuffled_control: ClassVar[bool] = False

    @classmethod
    def reads_users(cls) -> bool:
        """Whether it reads anything made from texts of users."""
        return any(role.startswith("user_") for role in cls.reads)


class ControlSettings(Component):
    """Settings of a control that nothing trains.

    Attributes:
        reads: roles of the artefacts that it reads besides split and candidates.
        only_when_named: a spec that lists no controls does not get it.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    only_when_named: ClassVar[bool] = False


class LossSettings(Component):
    """Settings of a loss: which keys of `training.loss` it reads.

    Attributes:
        keys: those it reads; no other is part of a cell's hash.
        negatives: how many it samples by default; 0 for a loss that meets every item.
        revision: of its meaning with several negatives; a later one never reuses older trainings.
    """

    keys: ClassVar[tuple[str, ...]] = ()
    negatives: ClassVar[int] = 0
    revision: ClassVar[int] = 1


class NoiseSettings(Component):
    """Settings of a kind of noise.

    Attributes:
        strength: the default; None for a kind that has no strength.
        most_strength: the largest allowed, where there is one.
        reads_categories: it needs the split, which knows the category of an entity.
    """

    strength: ClassVar[float | None] = None
    most_strength: ClassVar[float | None] = None
    reads_categories: ClassVar[bool] = False


class SearcherSettings(Component):
    """Settings of a searcher: which keys of `index:` it reads, besides `restrict_items_to`; None for all."""

    keys: ClassVar[tuple[str, ...] | None] = None
