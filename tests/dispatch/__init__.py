"""No effect without a fact before it, a mark at the moment of it, and a fact after it: proved on real servers."""
