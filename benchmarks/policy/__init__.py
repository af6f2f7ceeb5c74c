"""What the learned policies are worth, beside the heuristics: `python -m benchmarks.policy`.

Each part measures into `results/PART.json` and reports from there, so that docs/results.md can be
made again without measuring again. Everything is paired (equal workloads, equal luck), greedy, and
on workloads that neither training nor tuning has seen.
"""
