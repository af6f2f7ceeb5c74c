"""Numba behind one face: compiled functions, their cache on disk, and columns passed to them."""
