"""How long a follower needs to take over from a leader that was killed, or that hangs."""
