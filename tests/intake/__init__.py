"""What comes in, on its way into the log."""
