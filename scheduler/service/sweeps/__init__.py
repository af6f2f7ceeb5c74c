"""Sweeps: their trials are made, judged and ended here."""
