"""Lines that were not taken, in a file beside the imported one: mended, it can be imported itself."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from service.importing.parts import Fault


class Rejects:
    """The file of rejected lines. A run that goes on behind line N keeps what was rejected up to there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0

    def resumed(self, line: int) -> None:
        """Begins anew, or behind a line."""
        if not self.path.exists():
            return
        faults = map(msgspec.json.Decoder(Fault).decode, self.path.read_bytes().splitlines())
        kept = [fault for fault in faults if fault.line <= line]
        self.path.unlink()
        if kept:
            self.add(kept)

    def add(self, faults: Sequence[Fault]) -> None:
        """Adds lines."""
        self.count += len(faults)
        with self.path.open("ab") as file:
            file.write(b"".join(msgspec.json.encode(fault) + b"\n" for fault in faults))
