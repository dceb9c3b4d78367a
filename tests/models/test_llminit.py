"""LLMInit against scikit-learn's PCA."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import NUM_ITEMS, NUM_USERS, model_settings, random_knowledge
from sklearn.decomposition import PCA

from grasp_bench.components import ENHANCERS
from grasp_bench.core.errors import TrainingError


def build(**changes: object):
    settings = model_settings(enhancer="llminit", **changes)
    return ENHANCERS.implementation("llminit").from_settings(
        settings, NUM_USERS, NUM_ITEMS, random_knowledge()
    )


def test_the_table_begins_at_the_principal_components():
    expected = PCA(8, svd_solver="full").fit_transform(random_knowledge().items_mD.double().numpy())
    found = build().table.weight.detach().numpy()
    signs = np.sign((found * expected).sum(0))
    np.testing.assert_allclose(found * signs, expected, atol=1e-5)


def test_init_std_rescales_the_whole_table():
    plain, scaled = (build(init_std=std).table.weight.detach() for std in (None, 0.02))
    assert float(scaled.std()) == pytest.approx(0.02, rel=1e-5)
    torch.testing.assert_close(scaled / scaled.std(), plain / plain.std())


def test_the_table_is_trained():
    assert build().table.weight.requires_grad


def test_a_width_that_pca_cannot_give_is_refused():
    with pytest.raises(TrainingError, match="at most 10 dimensions"):
        build(embedding_dim=12)
