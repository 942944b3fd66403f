"""Ozon, from outside: written from the official OpenAPI and facts.md alone, for own delivery (rfbs) and for FBS."""

from .emulator import Emulator
from .life import script

__all__ = ["Emulator", "script"]
