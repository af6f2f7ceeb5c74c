"""Results as tables and text on the terminal."""
