"""Reconciliation: what 1C says it has, held against what the hub knows. README.md beside tells how to use it."""

from service.reconcile.compared import KINDS, Difference
from service.reconcile.files import BrokenFile, messages
from service.reconcile.mending import Mended, Plan, mend
from service.reconcile.odata import ODataError, Orders
from service.reconcile.running import Faulty, Found, Reconciling, Scope, Summary

__all__ = [
    "KINDS", "BrokenFile", "Difference", "Faulty", "Found", "Mended", "ODataError", "Orders", "Plan", "Reconciling",
    "Scope", "Summary", "mend", "messages",
]  # fmt: skip
