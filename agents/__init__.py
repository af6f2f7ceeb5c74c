"""Learning: network, training, evaluation, registry, learned policy."""
