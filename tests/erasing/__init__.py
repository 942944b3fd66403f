"""Personal data go for good, and only they."""
