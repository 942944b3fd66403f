"""The dialects of 1C's exchanges, each from messages as 1C writes them to the events that follow."""
