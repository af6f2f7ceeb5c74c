"""Learning an index of jobs: by search and distillation, and by an evolution strategy."""
