"""Comparisons as tables, plots and documents."""
