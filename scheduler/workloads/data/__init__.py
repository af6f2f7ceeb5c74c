"""Datasets and images as tensors."""
