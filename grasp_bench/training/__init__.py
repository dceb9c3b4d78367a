"""Optimisation: batches, negatives, objectives, early stopping, checkpoints."""
