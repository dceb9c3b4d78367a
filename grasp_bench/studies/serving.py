"""A trained cell as a server holds it: loaded once, what all requests share computed once, then asked.

Shape suffixes: B requests, K candidates, m items, D embedding width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grasp_bench.models.batch import Candidates, History, Profiles
from grasp_bench.models.layout import Layout
from grasp_bench.studies.trained_cells import Ints, TrainedCell


@dataclass(frozen=True, eq=False)
class Request:
    """One user's history, oldest first, as many items as the model reads; and K items to score.

    `readers` are the profiles that read the items, where that is not the user's own row.
    """

    user: int
    items: Ints
    candidates: Ints
    readers: Ints | None = None


class Serving:
    """Answers requests by numbers of users and items. `top` is how many items of the catalogue it returns."""

    def __init__(self, opened: TrainedCell, top: int = 10) -> None:
        self.opened = opened
        self.recommender = opened.recommender
        self.top = min(top, self.recommender.num_items)
        self.recommender.enhancer.settle()
        with torch.inference_mode():
            self._catalogue: Any = self.recommender.catalogue()
            # Where users do not matter, what every request would compute again.
            self._vectors: Tensor | None = self.recommender.enhancer.item_vectors(self._catalogue)

    def request(self, user: int, candidates: Ints | None = None) -> Request:
        """What is known of a user before any test item."""
        where = self.opened.latest(user)
        readers = None if self.opened.readers is None else self.opened.readers[where]
        items = np.ascontiguousarray(self.opened.items[where])
        return Request(user, items, np.empty(0, np.int64) if candidates is None else candidates, readers)

    @torch.inference_mode()
    def best(self, requests: Sequence[Request], profiles: Profiles | None = None) -> Ints:
        """The `top` best items of the catalogue for each request, (B, top), best first."""
        return np.asarray(self._scored(requests, profiles).topk(self.top, dim=1).indices.cpu().numpy())

    @torch.inference_mode()
    def all_scores(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """Scores (B, m) of the catalogue."""
        return np.asarray(self._scored(requests, None).cpu().numpy())

    @torch.inference_mode()
    def scores(self, requests: Sequence[Request], profiles: Profiles | None = None) -> NDArray[np.float32]:
        """Scores (B, K) of the requests' own candidates."""
        history = self.history(requests, profiles)
        states_Bd = self.recommender.states(history, self._catalogue)
        candidates = self._candidates(requests, history)
        scored = self.recommender.score_candidates(states_Bd, history, candidates, self._catalogue)
        return np.asarray(scored.cpu().numpy())

    @torch.inference_mode()
    def states(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """The state behind each history, (B, views · d)."""
        history = self.history(requests)
        return np.asarray(self.recommender.states(history, self._catalogue).cpu().numpy())

    @torch.inference_mode()
    def seen(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """Vectors (B, K, views · d) of the candidates as each user sees them."""
        history = self.history(requests)
        candidates = self._candidates(requests, history)
        vectors = self.recommender.enhancer.embed(history, candidates, self._catalogue)[1]
        return np.asarray(vectors.cpu().numpy())

    def item_vectors(self) -> NDArray[np.float32] | None:
        """Vectors (m, views · d) of all items; None where each user has others."""
        return None if self._vectors is None else np.asarray(self._vectors.cpu().numpy())

    def history(self, requests: Sequence[Request], profiles: Profiles | None = None) -> History:
        """The requests' histories, as models read them."""
        items_T = self._tensor([each.items for each in requests])
        users_B = torch.tensor([each.user for each in requests], device=items_T.device)
        layout = Layout(torch.tensor([len(each.items) for each in requests], device=items_T.device))
        features = None
        if self.opened.readers is not None:
            readers_T = self._tensor([each.readers for each in requests if each.readers is not None])
            features = self.recommender.pair_features(readers_T, items_T)
        return History(users_B, items_T, layout, features, profiles=profiles)

    def _scored(self, requests: Sequence[Request], profiles: Profiles | None) -> Tensor:
        history = self.history(requests, profiles)
        states_Bd = self.recommender.states(history, self._catalogue)
        if self._vectors is not None:
            return states_Bd @ self._vectors.T
        return self.recommender.score_catalogue(states_Bd, history, self._catalogue)

    def _candidates(self, requests: Sequence[Request], history: History) -> Candidates:
        items_BK = self._tensor([each.candidates for each in requests]).view(len(requests), -1)
        rows_B = torch.arange(len(requests), device=items_BK.device)
        return Candidates(items_BK, rows_B, history.layout.lengths_B)

    def _tensor(self, parts: Sequence[Ints]) -> Tensor:
        flat = torch.from_numpy(parts[0] if len(parts) == 1 else np.concatenate(parts))
        return flat.to(next(self.recommender.parameters()).device)
