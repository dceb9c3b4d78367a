"""Export a trained recommender as programs that need torch alone.

Shape suffixes: B histories, L their padded length, K candidates, D embedding width, m items.
"""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx import GraphModule

from grasp_bench.core.errors import GraspBenchError
from grasp_bench.models.batch import Candidates, History, Profiles
from grasp_bench.models.recommender import Recommender
from grasp_bench.models.rectangle import Rectangle

# Sizes of what the export is shown: of 1 or 2 torch may believe that they always are so.
BATCH, LENGTH, FEW = 3, 4, 5


class CatalogueScores(nn.Module):
    """`forward(history_BL[, own_BD, similar_BD])` gives scores (B, m) of all items.

    Args:
        recommender: trained, on the CPU.
        max_len: how many of a history's latest items it reads.
    """

    catalogue: Any
    vectors: Tensor | None

    def __init__(self, recommender: Recommender, max_len: int) -> None:
        super().__init__()
        self.recommender = recommender.eval().requires_grad_(False)
        self.max_len = max_len
        with torch.no_grad():
            self.register_buffer("catalogue", recommender.catalogue())
            self.register_buffer("vectors", recommender.enhancer.item_vectors(self.catalogue))

    def forward(
        self, history_BL: Tensor, own_BD: Tensor | None = None, similar_BD: Tensor | None = None
    ) -> Tensor:
        """Item numbers, oldest first, -1 where there is none; of a row without any, scores are NaN."""
        history, states_Bd = self.read(history_BL, own_BD, similar_BD)
        if self.vectors is not None:
            return states_Bd @ self.vectors.T
        return self.recommender.score_catalogue(states_Bd, history, self.catalogue)

    def read(
        self, history_BL: Tensor, own_BD: Tensor | None, similar_BD: Tensor | None
    ) -> tuple[History, Tensor]:
        """The histories as models read them, and the states behind them."""
        there_BL = history_BL >= 0
        lengths_B = there_BL.sum(1)
        kept_B = lengths_B.clamp(1, self.max_len)  # the end of an empty row would be that of the row before
        # Items to the front in their order, the latest `max_len` of them.
        order_BL = there_BL.logical_not().to(torch.int8).argsort(dim=1, stable=True)
        width = history_BL.shape[1]
        place_BL = torch.arange(width, device=history_BL.device) + (lengths_B - kept_B).clamp_min(0)[:, None]
        items_BL = history_BL.gather(1, order_BL.gather(1, place_BL.clamp_max(width - 1))).clamp_min(0)
        profiles = None
        if own_BD is not None and similar_BD is not None:
            profiles = Profiles(own_BD, similar_BD)
        layout = Rectangle(kept_B, width)
        users_B = torch.zeros_like(kept_B)  # of whom nothing is read
        history = History(users_B, items_BL.flatten(), layout, profiles=profiles)
        states_Bd = self.recommender.states(history, self.catalogue)
        return history, states_Bd.masked_fill((lengths_B == 0)[:, None], torch.nan)


class CandidateScores(CatalogueScores):
    """`forward(history_BL, candidates_BK[, own_BD, similar_BD])` gives scores (B, K) of the candidates."""

    def forward(  # type: ignore[override]
        self, history_BL: Tensor, candidates_BK: Tensor, own_BD: Tensor | None = None,
        similar_BD: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Item numbers of histories, and of the candidates of each."""
        history, states_Bd = self.read(history_BL, own_BD, similar_BD)
        rows_B = torch.arange(history_BL.shape[0], device=history_BL.device)
        candidates = Candidates(candidates_BK, rows_B, history.layout.lengths_B)
        return self.recommender.score_candidates(states_Bd, history, candidates, self.catalogue)


def exported(program: CatalogueScores, width: int | None) -> ExportedProgram:
    """Trace the program for any number and length of histories; `width` (D) where it reads users.

    Raises GraspBenchError where torch cannot trace it.
    """
    batch, length, few = Dim("histories", min=1), Dim("length", min=1), Dim("candidates", min=1)
    inputs = [torch.zeros(BATCH, LENGTH, dtype=torch.int64)]
    shapes: list[dict[int, Any]] = [{0: batch, 1: length}]
    if isinstance(program, CandidateScores):
        inputs.append(torch.zeros(BATCH, FEW, dtype=torch.int64))
        shapes.append({0: batch, 1: few})
    if width is not None:
        inputs += [torch.zeros(BATCH, width), torch.zeros(BATCH, width)]
        shapes += [{0: batch}, {0: batch}]
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = torch.export.export(program, tuple(inputs), dynamic_shapes=tuple(shapes))
    except Exception as error:
        raise GraspBenchError(
            f"torch {torch.__version__} cannot export this model: {str(error).splitlines()[0]}",
            hint="grasp-bench run answers the same questions inside the harness",
        ) from error
    return _without_the_unused(found)


def _without_the_unused(found: ExportedProgram) -> ExportedProgram:
    """Drop parameters that only training reads; torch keeps all that a module has."""
    signature, graph = found.graph_signature, found.graph
    idle = {node.name for node in graph.nodes if node.op == "placeholder" and not node.users}
    for spec in [spec for spec in signature.input_specs if spec.target and spec.arg.name in idle]:
        signature.input_specs.remove(spec)
        found.state_dict.pop(spec.target, None)
        found.constants.pop(spec.target, None)
        graph.erase_node(next(node for node in graph.nodes if node.name == spec.arg.name))
    found.graph_module.recompile()
    return found


def save_program(found: ExportedProgram, path: Path) -> None:
    """Write a `.pt2`; GraspBenchError where this torch version would put pickles into it."""
    found.example_inputs = None  # the only part that torch would pickle
    for part in found.graph_module.modules():
        for node in part.graph.nodes if isinstance(part, GraphModule) else ():
            node.meta.pop("stack_trace", None)  # where our own files lie
    torch.export.save(found, path)
    if pickled := _pickled(path):
        path.unlink()
        raise GraspBenchError(
            f"torch {torch.__version__} writes pickles into exported programs ({', '.join(pickled)})",
            hint="pip install a newer torch: 2.13 does not",
        )


def _pickled(path: Path) -> list[str]:
    """Parts of the archive that are pickled: old formats' own, and tensors that have no plain form."""
    with zipfile.ZipFile(path) as archive:
        found = [
            each.filename for each in archive.infolist() if each.filename.endswith(".pt") and each.file_size
        ]
        configs = [name for name in archive.namelist() if name.endswith("_config.json")]
        return found + [name for name in configs if b'"use_pickle": true' in archive.read(name)]
