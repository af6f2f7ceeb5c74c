"""Files that record what became of an attempt."""
