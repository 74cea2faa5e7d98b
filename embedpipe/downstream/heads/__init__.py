"""Heads: models over vectors that are frozen.

Their settings are importable without torch and scikit-learn.
"""

from embedpipe.downstream.heads.bilstm import BiLstmHead
from embedpipe.downstream.heads.bilstm_crf import BiLstmCrfHead
from embedpipe.downstream.heads.head import Epoch, FittedHead, Head, MixWeights, OnEpoch, settings_of
from embedpipe.downstream.heads.linear import LinearHead
from embedpipe.downstream.heads.linear_svm import LinearSvmHead
from embedpipe.downstream.heads.logistic_regression import LogisticRegressionHead
from embedpipe.downstream.heads.mlp import MlpHead
from embedpipe.downstream.heads.nearest_neighbors import KNearestHead
from embedpipe.downstream.heads.training import Training

__all__ = [
    "BiLstmCrfHead",
    "BiLstmHead",
    "Epoch",
    "FittedHead",
    "Head",
    "KNearestHead",
    "LinearHead",
    "LinearSvmHead",
    "LogisticRegressionHead",
    "MixWeights",
    "MlpHead",
    "OnEpoch",
    "Training",
    "settings_of",
]
