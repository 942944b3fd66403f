"""Exports, and who may read them."""
