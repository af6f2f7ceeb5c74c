"""Training on the compiled simulation of rigid jobs."""
