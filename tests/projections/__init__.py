"""Projections: rows that say what the log says, whatever happens while they are made."""
