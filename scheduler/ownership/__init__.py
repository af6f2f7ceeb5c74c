"""Whose a folder is: of which job, and of which of its attempts."""
