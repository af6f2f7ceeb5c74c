"""What a learned policy sees of a table, and the network that scores it."""
