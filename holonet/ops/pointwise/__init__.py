"""Fused entrywise functions: phi(z), and what differentiation needs of it, in one pass each."""

__all__: list[str] = []
