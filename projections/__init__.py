"""What the log says, as rows to look at: a folder a projection, and the two ways to fill them (`follow`, `rebuild`)."""
