"""Groups of jobs: projects, and the trials of a sweep."""
