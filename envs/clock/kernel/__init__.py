"""The compiled functions of the clock: events, attempts, nodes, and the steps between rounds."""
