"""Holomorphic functions as records, and the catalogue of them."""
