"""Commands and how they stand: for display; whether something is sent is decided from the log."""
