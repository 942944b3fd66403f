"""Past orders taken into the log: `lines` says what a line means, `parts` makes rows of them in a process `beside`,
`staging` appends them, `writing` keeps them in order, `running` goes through a file."""

from service.importing.parts import Fault
from service.importing.rejects import Rejects
from service.importing.running import Imported, Reader, name_of, run

__all__ = ["Fault", "Imported", "Reader", "Rejects", "name_of", "run"]
