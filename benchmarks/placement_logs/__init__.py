"""Logs of every placement of many short simulations, and stored hashes of them."""
