"""Holomorphic neural networks in PyTorch."""
