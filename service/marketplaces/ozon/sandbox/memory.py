"""The sandbox's postings as bytes, so that a sandbox that is started again goes on where it was."""

import msgspec

from service.marketplaces.ozon.sandbox.market import Ozon
from service.marketplaces.ozon.sandbox.posting import Posting
from service.marketplaces.ozon.sandbox.wishes import Request, Return


class _Kept(msgspec.Struct):
    next_number: int
    next_id: int
    postings: list[Posting]
    requests: list[Request]
    returns: list[Return]


def dump(ozon: Ozon) -> bytes:
    """Everything it must not forget."""
    postings, requests = list(ozon.postings.values()), list(ozon.requests.values())
    kept = _Kept(ozon.next_number, ozon.next_id, postings, requests, list(ozon.returns.values()))
    return msgspec.json.encode(kept)


def restore(ozon: Ozon, kept: bytes) -> None:
    """Gives it back; `ValueError` for bytes that are no such thing.

    Numbers never fall: it goes on with its own where that is higher.
    """
    found = msgspec.json.decode(kept, type=_Kept)
    ozon.postings = {one.number: one for one in found.postings if one.channel in ozon.cabinets}
    ozon.requests = {one.id: one for one in found.requests if one.posting in ozon.postings}
    ozon.returns = {one.id: one for one in found.returns if one.posting in ozon.postings}
    ozon.next_number = max(ozon.next_number, found.next_number)
    ozon.next_id = max(ozon.next_id, found.next_id)
