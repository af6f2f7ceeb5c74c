<<<<<<< HEAD
"""Decisions, compiled: a world as arrays, and functions that choose in it."""
=======
"""The compiled part of deciding: numbers, columns, loops and calls, nothing else."""
>>>>>>> h/kernel
