"""Projects: their shares and quotas, what they use, and their secrets."""
