"""The live jobs in memory: what waits, what runs, and what decisions see of both."""
