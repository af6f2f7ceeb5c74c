"""Messages to webhooks and people about what happens to jobs."""
