"""Features: from candidates to what a network reads."""
