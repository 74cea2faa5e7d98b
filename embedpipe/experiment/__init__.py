"""Comparing choices of vectors."""
