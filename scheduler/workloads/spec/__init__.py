"""The parameters of a job: checked, resolved and profiled without torch."""
