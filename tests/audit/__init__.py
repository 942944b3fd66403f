"""The log proves itself: whatever is done to it is found, and a file alone shows an order's history to be in it."""
