"""One module per version of the schema; a published one never changes."""
