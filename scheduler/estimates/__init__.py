"""Runtime, cost and energy of a job on a device."""
