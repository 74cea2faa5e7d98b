"""The tagger: a head over the vectors of a store, which tags stores and new text."""

from embedpipe.downstream.ner.tagger import NerTagger

__all__ = ["NerTagger"]
