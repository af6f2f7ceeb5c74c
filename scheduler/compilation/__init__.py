"""Compiled functions: columns passed as one pointer, kept on disk, plain Python without Numba."""
