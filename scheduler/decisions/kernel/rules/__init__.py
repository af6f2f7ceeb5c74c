"""Which rows may be chosen, and which of equal jobs goes first."""
