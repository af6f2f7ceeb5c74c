"""Plots of a comparison, as inline SVG."""
