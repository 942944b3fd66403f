"""Past orders in the log: what a line means, how it gets there, and that nobody is told."""
