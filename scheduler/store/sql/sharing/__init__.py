"""What services that share a PostgreSQL database need: a leader, notices and requests."""
