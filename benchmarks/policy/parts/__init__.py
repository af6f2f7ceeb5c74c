"""The parts of the benchmark, one question each."""
