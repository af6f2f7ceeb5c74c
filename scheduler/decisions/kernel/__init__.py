"""The compiled part of deciding: numbers, columns, loops and calls, nothing else."""
