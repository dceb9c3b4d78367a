"""Experiment trackers: TensorBoard, Weights & Biases, MLflow; one file each, all optional."""
