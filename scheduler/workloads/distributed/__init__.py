"""Attempts of several processes: who they are, how they meet, how they end together."""
