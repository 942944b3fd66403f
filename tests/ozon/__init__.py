"""Ozon: its sandbox and its adapter."""
