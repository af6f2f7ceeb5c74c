"""What runs now, as decisions and accounts see it."""
