"""What a cluster of several nodes promises when one of them, or the head, fails."""
