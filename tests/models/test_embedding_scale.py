"""Standardised embeddings: columns of mean 0 and deviation 1, and neighbours' means that stay means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from builders import NUM_ITEMS, NUM_USERS, model_settings, random_history, random_knowledge
from scipy.stats import zscore

from grasp_bench.models.enhancers.base import Knowledge
from grasp_bench.models.enhancers.grasp import Grasp
from grasp_bench.models.enhancers.llmesr import LLMESR
from grasp_bench.spec.model import Model


def test_each_column_of_users_and_of_items_has_mean_0_and_deviation_1():
    known = random_knowledge()
    found = known.standardised()
    for name in ("users_nD", "items_mD"):
        np.testing.assert_allclose(getattr(found, name), zscore(getattr(known, name).numpy()), atol=1e-5)


def test_a_mean_of_neighbours_is_the_mean_of_their_standardised_embeddings():
    known = random_knowledge()
    items = known.items_mD
    pooled = torch.stack([items[[1, 4, 7]].mean(0), items[[0, 2]].mean(0)])
    found = replace(known, similar_items_mD=pooled).standardised()
    of_them = torch.stack([found.items_mD[[1, 4, 7]].mean(0), found.items_mD[[0, 2]].mean(0)])
    torch.testing.assert_close(found.similar_items_mD, of_them)


def test_profiles_of_prefixes_follow_the_users_and_do_not_shift_them():
    known = random_knowledge()
    longer = replace(known, users_nD=torch.cat([known.users_nD, 5 * known.users_nD[:2]]), prefixes=2)
    found = longer.standardised().users_nD
    torch.testing.assert_close(found[:NUM_USERS], known.standardised().users_nD)
    assert not torch.isclose(found[NUM_USERS:], found[:2]).any()


def test_a_column_that_never_varies_becomes_0():
    found = Knowledge(items_mD=torch.tensor([[1.0, 3.0], [2.0, 3.0]])).standardised().items_mD
    assert found.tolist() == [[-1, 0], [1, 0]]


def test_grasp_reads_them_and_an_old_training_keeps_its_settings():
    assert "embedding_scale" not in Model(enhancer="grasp").effective()
    history, states = random_history([5, 3, 4]), []
    asked = model_settings(enhancer="grasp", embedding_scale="standardised")
    for settings, known in (
        (asked, random_knowledge()),
        (model_settings(enhancer="grasp"), random_knowledge().standardised()),
        (model_settings(enhancer="grasp"), random_knowledge()),
    ):
        torch.manual_seed(5)
        grasp = Grasp.from_settings(settings, NUM_USERS, NUM_ITEMS, known)
        states.append(grasp.embed_history(history))
    torch.testing.assert_close(states[0], states[1])
    assert not torch.allclose(states[0], states[2])


def test_llmesr_standardises_its_semantic_view_alone():
    views = []
    for scale in ("unit", "standardised"):
        torch.manual_seed(5)
        settings = model_settings(enhancer="llmesr", embedding_scale=scale)
        views.append(
            LLMESR.from_settings({**settings, "causal": True}, NUM_USERS, NUM_ITEMS, random_knowledge())
        )
    torch.testing.assert_close(views[0].collaborative.weight, views[1].collaborative.weight)
    torch.testing.assert_close(views[1].items_mD, random_knowledge().standardised().items_mD)
