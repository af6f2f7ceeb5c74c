"""The waiting jobs: what is known of them, and their orders."""
