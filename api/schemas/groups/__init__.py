"""Jobs that belong together: arrays, and the requests and answers about sweeps."""
