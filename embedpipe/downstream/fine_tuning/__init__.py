"""Fine-tuning, behind :func:`embedpipe.downstream.fine_tune.fine_tune`: inputs, targets, model, training, checkpoint."""
