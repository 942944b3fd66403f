"""Which code makes a projection's rows: what was filled by other code is not gone on with."""

from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable

from projections.projection import Projection

SHARED = ("events", "codec.py"), ("events", "recorded.py"), ("events.order", ""), ("projections", "projection.py")
"""Packages and files in them that every row depends on; the projection's own folder comes besides."""


def fingerprint(projection: Projection) -> str:
    """A hash of the projection's version and shape, and of the sources and migrations behind its rows."""
    own = projection.project.__module__.rpartition(".")[0]
    found = sha256(repr((projection.name, projection.version, projection.tables)).encode())
    for package, name in (*SHARED, (own, "")):
        place = resources.files(package)
        for file in [place / name] if name else _sources(place):
            found.update(f"\n{package}/{file.name}\n".encode() + file.read_bytes())
    return found.hexdigest()[:32]


def _sources(folder: Traversable) -> list[Traversable]:
    return sorted((f for f in folder.iterdir() if f.name.endswith((".py", ".sql"))), key=lambda f: f.name)
