"""The log and its pure core."""
