"""A Megamarket with three shops (dbs, cnc, fbs), written from the collected facts and samples alone; see README.md."""

from .emulator import Emulator

__all__ = ["Emulator"]
