"""From submissions and events to placements and launched attempts."""
