"""Heads: models over vectors that are frozen."""
