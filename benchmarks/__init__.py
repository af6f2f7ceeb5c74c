"""Speed and agreement, measured as ratios and differences in one run."""
