"""Search for constants of heuristics and for hyper-parameters of training."""
