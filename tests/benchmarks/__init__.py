"""How fast, how large, how much memory: figures as ratios to a reference in the same run. See README.md."""
