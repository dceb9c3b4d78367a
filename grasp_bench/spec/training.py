"""`training:` and `seeds:` — loss, optimiser, early stopping, and how often a method is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from grasp_bench.components import LOSSES
from grasp_bench.spec.section import MetricName, Section, Space, refuse_repeats, without_defaults
from grasp_bench.spec.section_fields import own_fields, replace_fields

if TYPE_CHECKING:
    LossKind = str
else:
    LossKind = Literal[*LOSSES]

END = 2**31  # of seeds
MOST = 50  # trainings of one method


class SeedsUntilDecided(Section):
    """Every method starts with `least` seeds; methods of undecided hypotheses get more, up to `most`."""

    first: int = Field(
        42, alias="from", ge=0, lt=END - MOST, description="The first seed; the others follow it one by one."
    )
    least: int = Field(3, ge=2, description="Seeds of every method before the first look.")
    most: int = Field(le=MOST, description="Seeds that a method may have at the last look.")
    until: Literal["decided"] = Field(description="Until every declared hypothesis is decided.")

    @field_validator("most")
    @classmethod
    def _most_above_least(cls, most: int, info: ValidationInfo) -> int:
        least = info.data.get("least")
        if least is not None and most <= least:
            raise ValueError(f"must be greater than least, which is {least}; for a fixed number give a list")
        return most

    def first_of(self, count: int) -> tuple[int, ...]:
        """Return the first `count` seeds."""
        return tuple(range(self.first, self.first + count))


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    refuse_repeats("seeds", seeds)
    if any(seed < 0 or seed >= END for seed in seeds):
        raise ValueError("seeds must lie in [0, 2^31)")
    return seeds


def _form(value: Any) -> str:
    return "until" if isinstance(value, dict | SeedsUntilDecided) else "list"


def _listed(value: Any) -> Any:
    if isinstance(value, int):
        raise ValueError(
            f"expected a list of seeds, such as [{value}], or a mapping with from, least, most and until; "
            f"got {value}"
        )
    return tuple(value) if isinstance(value, list) else value


SeedList = Annotated[
    tuple[int, ...], Field(min_length=1), BeforeValidator(_listed), AfterValidator(_distinct)
]
Seeds = Annotated[
    Annotated[SeedList, Tag("list")] | Annotated[SeedsUntilDecided, Tag("until")], Discriminator(_form)
]


LATER_KEYS = ("loss", "optimizer")  # added after trainings had been hashed without them


class Loss(Section):
    """The loss at each predicted position: its item against sampled negatives, or against the catalogue.

    A word is short for a loss with its defaults: `loss: softmax`.
    """

    kind: LossKind = Field(
        LOSSES.default,
        description="bce: binary cross-entropy (the paper's eq. 6). gbce: bce whose positive is calibrated "
        "for the share of sampled negatives (gSASRec, RecSys 2023). softmax: cross-entropy over the "
        "catalogue. sampled_softmax: over the item and the negatives.",
    )
    negatives: int | None = Field(
        None,
        ge=1,
        description="A single one is drawn for each position, never from its user's history; several are "
        "drawn once a batch and shared. By default 1 for bce, 256 for gbce and sampled_softmax.",
    )
    sampling: Literal["uniform", "popularity", "in_batch"] = Field(
        "uniform",
        description="popularity: in proportion to interactions in training. in_batch: from the items that "
        "the batch predicts.",
    )
    log_q: bool = Field(
        True,
        description="sampled_softmax: divide each negative's weight by its expected count, so that the sum "
        "estimates that over the catalogue.",
    )
    calibration: float = Field(
        0.75, ge=0, le=1, description="gbce: t of the paper; 0 is bce, 1 fully calibrated scores."
    )

    @model_validator(mode="before")
    @classmethod
    def _by_its_name(cls, given: Any) -> Any:
        return {"kind": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _own_keys_fit(self) -> Loss:
        settings = LOSSES.get(self.kind)
        try:
            settings.model_validate({name: getattr(self, name) for name in settings.own_fields()})
        except ValidationError as error:  # each key alone is valid: the rest are a plugin's own checks
            raise ValueError(str(error.errors()[0]["ctx"]["error"])) from None
        return self

    @model_validator(mode="after")
    def _one_is_drawn_uniformly(self) -> Loss:
        if "negatives" in LOSSES.get(self.kind).keys and self.count == 1 and self.sampling != "uniform":
            raise ValueError(f"sampling {self.sampling} needs several negatives, shared by the batch")
        return self

    @property
    def count(self) -> int:
        """Return the number of negatives; 0 for a loss that samples none."""
        loss = LOSSES.get(self.kind)
        return loss.negatives if self.negatives is None or "negatives" not in loss.keys else self.negatives

    def effective(self) -> dict[str, Any]:
        """Return the keys that this kind reads."""
        values = {**self.model_dump(mode="json", by_alias=True), "negatives": self.count}
        loss = LOSSES.get(self.kind)
        return {"kind": self.kind, **{key: values[key] for key in (*loss.keys, *loss.own_keys())}}

    def revision(self) -> dict[str, int]:
        """Return the key that separates hashes from earlier versions of the loss; empty if none does."""
        revision = LOSSES.get(self.kind).revision
        return {"loss_revision": revision} if self.count > 1 and revision > 1 else {}


class Training(Section):
    """Training by Adam with early stopping, by default on the loss of eq. 6 with one negative.

    Attributes:
        space: the keys that `tuning: {each: method}` searches of every method, as `tuning.space` writes them.
    """

    space: ClassVar[Space] = {
        "training.lr": (3e-4, 3e-3, "log"),
        "training.weight_decay": (0.0, 1e-6, 1e-5, 1e-4),
        "training.loss": tuple(LOSSES),
    }

    batch_size: int = Field(128, ge=1, description="Users per step.")
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    loss: Loss = Loss()
    optimizer: Literal["adam", "sparse_adam"] = Field(
        "adam",
        description="sparse_adam updates only the items in a step, so its time does not grow with the "
        "catalogue; results differ from adam's.",
    )
    max_epochs: int = Field(200, ge=1)
    patience: int = Field(20, ge=1, description="Validations without improvement before training stops.")
    eval_every: int = Field(1, ge=1, description="Epochs between validations.")
    monitor: MetricName = "NDCG@10"
    monitor_protocol: Literal["sampled", "full"] = Field(
        "sampled", description="Validation ranking for early stopping; presets set it."
    )
    amp: bool = Field(False, description="bfloat16 autocast.")
    compile: bool = Field(
        False, description="torch.compile the position-wise layers of sasrec and bert4rec; gru4rec has none."
    )
    grad_clip: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _rows_alone(self) -> Training:
        if self.optimizer == "sparse_adam":
            if self.loss.count == 0:
                raise ValueError(f"sparse_adam needs a loss that samples: {self.loss.kind} uses every item")
            if self.weight_decay or self.grad_clip is not None:
                raise ValueError(
                    "sparse_adam has neither weight_decay nor grad_clip: they concern items outside a step"
                )
        return self

    def effective(self) -> dict[str, Any]:
        """Return the keys and values that enter a training's hash."""
        values = {**without_defaults(self, LATER_KEYS), "loss": self.loss.effective()}
        if values["loss"] == Loss().effective():
            del values["loss"]
        return values


def follow_registries() -> None:
    """Take up names and keys of the losses that are registered now."""
    kind = Loss.model_fields["kind"]
    replace_fields(Loss, {"kind": (Literal[*LOSSES], kind), **own_fields((LOSSES,))})
    Training.model_rebuild(force=True)
