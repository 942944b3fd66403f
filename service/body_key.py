"""The key of the raw bodies' hashes: outside of the database, so that a hash in the log tells nobody what was said.

Hubs over one database share it: copy the file to each. Where a hash was made with another key, `okno verify` can't
judge that body, and nothing else is lost.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

NAME = "body.key"


def body_key(data_dir: Path) -> bytes:
    """The key under a data folder, made the first time."""
    path = data_dir / NAME
    with suppress(FileNotFoundError):
        return bytes.fromhex(path.read_text().strip())
    data_dir.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{NAME}.{os.getpid()}")
    made.touch(mode=0o600)
    made.write_text(secrets.token_hex(32) + "\n")
    with suppress(FileExistsError):  # another process was first: its key is the one
        os.link(made, path)
    made.unlink()
    return bytes.fromhex(path.read_text().strip())
