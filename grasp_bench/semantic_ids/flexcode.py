"""FlexCode: a collaborative and a semantic codebook that share a budget of codes (Hui et al., arXiv
2511.20673).

Shape suffixes: m items, B items of a step, D width of text vectors, E of latents, L codes of an item
(the budget), P = L − 1 the most codes of one kind, F features of the router.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grasp_bench.semantic_ids.base import Items, Quantised, Quantiser, Signals
from grasp_bench.semantic_ids.rqvae import QuantisedAutoencoder, layers_of
from grasp_bench.semantic_ids.settings import FlexCodeSettings

DECILES = 10


class Router(nn.Module):
    """The share of collaborative codes of an item, from its popularity, recency and both codebooks' errors.

    One hidden layer; the share of `static` is a half for all. An item has 1 + share · (L − 2)
    collaborative codes, so that it has at least one code of each kind, and semantic ones in the other
    places.
    """

    def __init__(self, budget: int, hidden: int, adaptive: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.budget, self.adaptive = budget, adaptive
        self.layers = layers_of((4, hidden, 1), generator)

    def share(self, features_BF: Tensor) -> Tensor:
        """Return the share (B,), in (0, 1)."""
        if not self.adaptive:
            return features_BF.new_full((len(features_BF),), 0.5)
        return self.layers(features_BF)[:, 0].sigmoid()

    def counts(self, share_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return how many collaborative and semantic codes there are, not rounded; their sum is the
        budget."""
        collaborative_B = 1 + share_B * (self.budget - 2)
        return collaborative_B, self.budget - collaborative_B

    def rounded(self, share_B: Tensor) -> Tensor:
        """Return how many collaborative codes there are in use, int64."""
        return (self.counts(share_B)[0] + 0.5).floor().long()  # a half goes to the collaborative ones


def soft_mask(count_B: Tensor, levels: int, temperature: float) -> Tensor:
    """Return weights (B, levels) of the codes of one kind: σ((count − l − ½)/τ), near 1 for the first
    `count`."""
    places_L = torch.arange(levels) + 0.5
    return ((count_B[:, None] - places_L) / temperature).sigmoid()


def alignment(first_BE: Tensor, second_BE: Tensor, temperature: float) -> Tensor:
    """Return InfoNCE between two latents of the same items, a mean of both directions: an item's other
    latent among those of the step (van den Oord et al., 2018). 0 without items."""
    if not len(first_BE):
        return first_BE.sum()
    first_BE, second_BE = F.normalize(first_BE, dim=1), F.normalize(second_BE, dim=1)
    logits_BB = first_BE @ second_BE.T / temperature
    own_B = torch.arange(len(logits_BB))
    return (F.cross_entropy(logits_BB, own_B) + F.cross_entropy(logits_BB.T, own_B)) / 2


def roughness(share_B: Tensor, popularity_B: Tensor) -> Tensor:
    """Return the mean squared difference of shares between items next to each other in popularity."""
    ordered_B = share_B[popularity_B.argsort(stable=True)]
    return ordered_B.diff().square().mean() if len(ordered_B) > 1 else ordered_B.sum() * 0.0


class FlexCode(Quantiser[FlexCodeSettings]):
    """Trains both autoencoders, their alignment and the router together, and codes each item by both.

    The loss is the error of the text vectors, that of the collaborative vectors times n / (n +
    `trusted_from`) for an item with n interactions, both a mean over dimensions times the latent's
    width, the losses of the codebooks, and the weighted alignment and roughness. What is decoded are
    the codes under soft masks; an item in use has its first k collaborative codes, then its first L − k
    semantic ones. The source is silent on the weights, the router's inputs beyond their names and on
    what makes it prefer a codebook: here it is the collaborative error's trust.
    """

    def quantise(
        self, items: Items, generator: torch.Generator, progress: Callable[[int, int], None]
    ) -> Quantised:
        """Train on all items, then code them."""
        settings, signals = self.settings, items.signals
        assert signals is not None
        most = settings.levels - 1
        semantic = QuantisedAutoencoder(items.vectors(), most, settings, generator)
        collaborative = QuantisedAutoencoder(signals.vectors_mE, most, settings, generator)
        adaptive = settings.allocation == "adaptive"
        router = Router(settings.levels, settings.router_hidden, adaptive, generator)
        both = nn.ModuleList([semantic, collaborative, router])
        optimizer = torch.optim.AdamW(both.parameters(), lr=settings.lr)
        for epoch in range(1, settings.epochs + 1):
            steps = []
            for rows_B in torch.randperm(len(items), generator=generator).split(settings.batch_size):
                losses = self._losses(semantic, collaborative, router, signals, rows_B)
                optimizer.zero_grad()
                sum(losses.values(), torch.zeros(())).backward()
                optimizer.step()
                steps.append(torch.stack([each.detach() for each in losses.values()]))
            if epoch < settings.epochs:
                semantic.revive(generator)
                collaborative.revive(generator)
            progress(epoch, settings.epochs)
        last = [round(value, 6) for value in torch.stack(steps).mean(0).tolist()]
        with torch.no_grad():
            found = self._coded(semantic, collaborative, router, signals)
        return replace(found, facts={**found.facts, "losses": dict(zip(losses, last, strict=True))})

    def _losses(
        self, semantic: QuantisedAutoencoder, collaborative: QuantisedAutoencoder, router: Router,
        signals: Signals, rows_B: Tensor,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Return the weighted parts of the loss, whose sum is what is trained on."""
        settings, kinds = self.settings, (collaborative, semantic)
        latents = [kind.encoder(kind.inputs_mD[rows_B]) for kind in kinds]
        share_B = router.share(_features(kinds, latents, signals, rows_B))
        interactions_B = signals.interactions_m[rows_B].float()
        trusted_from = settings.trusted_from or max(1e-6, float(signals.interactions_m.double().mean()))
        trust_B = interactions_B / (interactions_B + trusted_from)
        met_B = interactions_B > 0  # the vectors of others are as they were drawn
        found = {
            "alignment": settings.align_codes
            * alignment(latents[0][met_B], latents[1][met_B], settings.align_codes_temperature),
            "smoothness": settings.smooth_codes * roughness(share_B, interactions_B),
        }
        for name, kind, latent_BE, count_B, weight_B in zip(
            ("collaborative", "semantic"), kinds, latents, router.counts(share_B),
            (trust_B, torch.ones_like(trust_B)), strict=True,
        ):  # fmt: skip
            mask_BP = soft_mask(count_B, settings.levels - 1, settings.mask_temperature)
            quantised_BE, _, found[f"{name}_codebooks"] = kind.books(latent_BE, mask_BP)
            error_B = (kind.decoder(quantised_BE) - kind.inputs_mD[rows_B]).square().mean(1)
            found[f"{name}_error"] = settings.latent_dim * (weight_B * error_B).mean()
        return found

    def _coded(
        self, semantic: QuantisedAutoencoder, collaborative: QuantisedAutoencoder, router: Router,
        signals: Signals,
    ) -> Quantised:  # fmt: skip
        kinds, everything = (collaborative, semantic), torch.arange(len(signals.interactions_m))
        latents = [kind.encoder(kind.inputs_mD) for kind in kinds]
        count_m = router.rounded(router.share(_features(kinds, latents, signals, everything)))
        found = []
        for kind, latent_mE, kept_m in zip(
            kinds, latents, (count_m, self.settings.levels - count_m), strict=True
        ):
            mask_mP = (torch.arange(self.settings.levels - 1) < kept_m[:, None]).float()
            quantised_mE, codes_mP, _ = kind.books(latent_mE, mask_mP)
            found.append((codes_mP, kind.rebuilt(quantised_mE)))
        (collaborative_mP, rebuilt_mE), (semantic_mP, rebuilt_mD) = found
        codes_mL, sizes = joined(collaborative_mP, semantic_mP, count_m, self.settings.codebook_size)
        vectors_mE = signals.vectors_mE
        spread = float((vectors_mE - vectors_mE.mean(0)).square().sum())
        error = float((vectors_mE - rebuilt_mE).square().sum())
        facts = {
            "collaborative_codes": round(float(count_m.double().mean()), 4),
            "by_popularity": _by_popularity(count_m, signals.interactions_m),
            "collaborative_error": round(error / spread, 6) if spread > 0 else None,
        }
        return Quantised(codes_mL, rebuilt_mD, sizes=sizes, facts=facts)


def joined(
    collaborative_mP: Tensor, semantic_mP: Tensor, count_m: Tensor, codebook_size: int
) -> tuple[Tensor, tuple[int, ...]]:
    """Return codes (m, L), an item's first `count` collaborative ones and then semantic ones, and the
    sizes of the places. The codes of a place tell their kind and level: collaborative ones first, then
    semantic ones of level 0, of level 1, and so on; the last place has no collaborative ones."""
    most = collaborative_mP.shape[1]
    places, sizes = [], []
    for place in range(most + 1):
        level_m = (place - count_m).clamp(0, most - 1)
        first = codebook_size if place < most else 0
        semantic_m = first + level_m * codebook_size + semantic_mP.gather(1, level_m[:, None])[:, 0]
        if place < most:
            semantic_m = torch.where(count_m > place, collaborative_mP[:, place], semantic_m)
        places.append(semantic_m)
        sizes.append(first + codebook_size * min(place, most) if place else codebook_size)
    return torch.stack(places, dim=1), tuple(sizes)


def _features(
    kinds: tuple[QuantisedAutoencoder, ...], latents: list[Tensor], signals: Signals, rows_B: Tensor
) -> Tensor:
    """Return what the router reads (B, 4): log popularity, recency, and the error that each codebook
    leaves of a latent, as a share of its square. No gradient passes to the latents."""
    errors = []
    for kind, latent_BE in zip(kinds, latents, strict=True):
        with torch.no_grad():
            left_BE = latent_BE - kind.books(latent_BE)[0]
            errors.append(left_BE.square().sum(1) / latent_BE.square().sum(1).clamp_min(1e-8))
            errors[-1].clamp_(max=1)
    popularity_B = signals.interactions_m[rows_B].float().log1p()
    return torch.stack([popularity_B, signals.recency_m[rows_B].float(), *errors], dim=1)


def _by_popularity(count_m: Tensor, interactions_m: Tensor) -> list[float]:
    """Return the mean number of collaborative codes by decile of popularity, the least popular first."""
    parts = count_m[interactions_m.argsort(stable=True)].double().tensor_split(DECILES)
    return [round(float(part.mean()), 4) for part in parts if len(part)]
