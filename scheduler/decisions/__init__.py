"""The decision: candidates, round, plan. Values in, values out."""
