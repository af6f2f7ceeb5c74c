"""The fork server, the supervisors and the workers of attempts."""
