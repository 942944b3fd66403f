"""Every projection there is."""

from projections.commands.project import COMMANDS
from projections.orders.project import ORDERS
from projections.projection import Projection

PROJECTIONS: dict[str, Projection] = {projection.name: projection for projection in (ORDERS, COMMANDS)}
"""By name."""
