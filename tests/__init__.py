"""Tests of Okno; the servers they need are in conftest."""
