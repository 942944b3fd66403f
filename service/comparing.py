"""Messages whose facts depend on what the log knows of their order: what a read saw, a document of 1C's as it stands.

Both say how something is, not what happened; the difference is what happened. It is taken against the order's history
and appended at exactly its version, so that of two that come at once the second is compared with the first. Pure.
"""

from collections.abc import Callable, Sequence

import msgspec

from events import codec
from events.order import facts as f
from events.order.state import OrderState, fold
from events.recorded import NewEvent, Recorded
from service import differences, passing
from service.differences import Difference
from service.documents import of_document
from service.onec import snapshots
from service.onec.cloudevents import Message, Raw
from service.settings import Settings
from service.understanding import linking, order_key, understand


class Compared(msgspec.Struct, frozen=True):
    """A message on its way to be compared: `news` are the events it adds to an order with this history.

    `document`: the id of the document that it may link to its order.
    """

    order: str
    part: Raw
    news: Callable[[str, Sequence[Recorded]], list[NewEvent]]
    document: str | None = None

    @property
    def keys(self) -> set[str]:
        """The keys its order may go by."""
        return {self.order} | ({f"1c/{self.document.casefold()}"} if self.document else set())


def compared(message: Message, part: Raw, settings: Settings) -> Compared | None:
    """How a message is compared; None for one that says what happened. `Unreadable` where it can't be understood."""
    if passing.is_read(message):
        seen = passing.read_of(message)
        return Compared(order_key(message, settings), part, lambda order, known: _seen(message, seen, order, known))
    if passing.own(message) or not snapshots.is_snapshot(message):
        return None
    event, sent = understand(message, settings), snapshots.understood(message, settings)
    document = sent.fact.document.id if sent.fact.kind == "order" and sent.fact.document is not None else None
    return Compared(event.order, part, lambda order, known: _documented(event, sent, order, known), document)


def _seen(message: Message, seen: passing.Read, order: str, history: Sequence[Recorded]) -> list[NewEvent]:
    """What a read adds; by type, so that the same read taken again adds no second fact of its kind."""
    state = fold(order, history)
    if seen.order is not None:
        news, raw = differences.of_order(state, seen.order, seen.began_at), seen.order.raw
    elif seen.returned is not None:
        news, raw = differences.of_return(state, seen.returned), seen.returned.raw
    else:
        return []
    bodies = (raw, *(None for _ in news[1:]))
    return [_news(new, message.source, message.id or "", state, b) for new, b in zip(news, bodies, strict=False)]


def _documented(event: NewEvent, sent: snapshots.Sent, order: str, history: Sequence[Recorded]) -> list[NewEvent]:
    """What a snapshot adds, itself the first; nothing where this very message was taken before."""
    if any(_same(event, sent, one) for one in history):
        return []
    state = fold(order, history)
    news = of_document(state, sent, event.source)
    own = [
        msgspec.structs.replace(event, order=order, data=codec.encode(n.fact), expected=state.version) for n in news[:1]
    ]
    return own + [_news(new, event.source, event.id, state, None, event.digest.hex()) for new in news[1:]]


def _same(event: NewEvent, sent: snapshots.Sent, one: Recorded) -> bool:
    if (one.type, one.source, one.id) != (event.type, event.source, event.id):
        return False
    fact = codec.decode(one)
    return isinstance(fact, f.Snapshot) and fact.content == sent.fact.content


def _news(
    new: Difference, source: str, id: str, state: OrderState, body: bytes | None, behind: str | None = None
) -> NewEvent:
    """A difference as an event; `behind` tells two messages apart that have the same id."""
    id = f"{id}/{new.type}"
    return NewEvent(
        order=state.order, type=new.type, source=source, id=id, actor=source,
        digest=codec.digest(source, id, new.type, state.order, behind, None), data=codec.encode(new.fact),
        occurred_at=new.occurred_at, expected=state.version, body=body,
        document=linking(new.fact), personal=codec.encode(new.personal) if new.personal else None,
    )  # fmt: skip
