"""Projects and secrets."""
