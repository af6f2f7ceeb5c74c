"""What a leader needs to hear of the services that share its store."""
