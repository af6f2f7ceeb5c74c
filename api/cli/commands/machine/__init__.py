"""Commands that run on the service's own machine."""
