"""Trackers of experiments: TensorBoard, Weights & Biases, MLflow; one file each, none of them needed."""
