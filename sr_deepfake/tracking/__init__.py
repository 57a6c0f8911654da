"""Experiment loggers: W&B, TensorBoard, MLflow."""
