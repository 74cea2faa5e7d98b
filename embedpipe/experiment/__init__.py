"""Comparing choices of vectors: extraction once, then every choice, with every head and seed, in one table.

Read :mod:`~embedpipe.experiment.comparison` (what is asked), :mod:`~embedpipe.experiment.compare` (how it is answered) and
:mod:`~embedpipe.experiment.results` (the answer), in this order.
"""
