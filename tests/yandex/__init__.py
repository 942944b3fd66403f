"""Yandex Market's folder: what it reads, what it sends, and whole orders against its sandbox."""
