"""greenroom against its peers and against what the machine can do, as ratios."""
