"""A search of settings on validation alone: Optuna asks, the engine's stages answer.

A trial is the spec's base cell with some keys changed, once for every seed, up to its training. Its nodes
are those that a run of the same settings would have, so nothing that is in the store is made again.
"""
