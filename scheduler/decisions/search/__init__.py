"""Search: choices are played out on what may come, and the best one is taken."""
