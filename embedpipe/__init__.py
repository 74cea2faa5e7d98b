"""Frozen-model features, every layer, aligned to your words, in one HDF5 store."""
