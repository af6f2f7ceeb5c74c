"""What a classifier answered, and how good its answers are."""
