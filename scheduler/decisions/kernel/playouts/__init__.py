"""Play-outs: what becomes of a choice if a scorer decides all that follows."""
