"""The web page: its files, which the package brings along."""
