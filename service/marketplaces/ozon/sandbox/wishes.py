"""What buyers ask for after the assembly, rFBS only: to cancel what is under way, to send back what they got."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass
class Request:
    """A conditional cancellation; nobody is told of it, and unanswered it is approved by itself at `auto`."""

    id: int
    posting: str
    channel: str
    asked: datetime
    auto: datetime
    state: str = "ON_APPROVAL"
    answered: datetime | None = None
    comment: str = ""


@dataclass
class Return:
    """A request to take one piece back."""

    id: int
    posting: str
    channel: str
    created: datetime
    sku: int
    offer_id: str
    name: str
    price: Decimal
    group: str = "New"
