"""Files of jobs in a storage that all machines reach, where they share no folder."""
