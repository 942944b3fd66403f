"""Erasing: an order's personal data go for good, the history stays and can be verified."""

from service.erasing.act import Act, acts
from service.erasing.destroying import BadReason, checked, erase, rejected_of
from service.erasing.finding import Found, find
from service.erasing.holdings import Looked, look

__all__ = ["Act", "BadReason", "Found", "Looked", "acts", "checked", "erase", "find", "look", "rejected_of"]
