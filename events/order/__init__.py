"""One order: its facts, its state, and what follows from them. Pure: no input, no output, no clock."""
