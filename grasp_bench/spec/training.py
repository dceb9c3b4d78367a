"""`training:` — optimisation and early stopping."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grasp_bench.spec.section import Section


class Training(Section):
    """Adam on binary cross-entropy, one sampled negative per position (eq. 6)."""

    batch_size: int = Field(128, ge=1, description="Users per step.")
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    max_epochs: int = Field(200, ge=1)
    patience: int = Field(20, ge=1, description="Validations without improvement before training stops.")
    eval_every: int = Field(1, ge=1, description="Epochs between validations.")
    monitor: str = Field("NDCG@10", pattern=r"^(NDCG|HR|MRR)@[1-9][0-9]*$")
    monitor_protocol: Literal["sampled", "full"] = "sampled"
    amp: bool = Field(False, description="bfloat16 autocast.")
    compile: bool = Field(
        False, description="torch.compile the position-wise layers of sasrec and bert4rec; gru4rec has none."
    )
    grad_clip: float | None = Field(None, gt=0)
