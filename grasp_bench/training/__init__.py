"""Train recommenders: batches, negatives, objectives, early stopping, checkpoints."""
