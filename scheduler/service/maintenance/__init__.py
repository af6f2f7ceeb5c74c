"""Health, disk usage, retention and other work beside scheduling."""
