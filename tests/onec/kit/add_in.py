"""The PinkRabbitMQ add-in as it was observed: sticky properties, a reject that drops, errors that spoil the object.

What the kit must never do is a fault here: declare anything, use one object for reading and writing, connect it twice,
publish with a property left over from before, hand in out parameters that were not reset.
"""

from collections import deque
from dataclasses import dataclass, field

from tests.onec.kit.base import Base
from tests.onec.kit.running import Raised

PROPERTIES = ("messageid", "appid", "type", "correlationid", "contenttype")


@dataclass
class Published:
    """A message as the broker got it."""

    exchange: str
    key: str
    body: str
    persistent: bool
    properties: dict[str, str]


@dataclass
class Broker:
    """What stands behind the add-in. `fails`: at which publishing, counted from 0, with or without the message."""

    base: Base
    published: list[Published] = field(default_factory=list)
    waiting: deque[tuple[int, str]] = field(default_factory=deque)
    acked: list[int] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    fails: dict[int, bool] = field(default_factory=dict)
    objects: list["AddIn"] = field(default_factory=list)
    up: bool = True
    attempts: int = 0

    def make(self) -> "AddIn":
        """A new object of the add-in's."""
        self.objects.append(AddIn(self))
        return self.objects[-1]


class AddIn:
    """One object of the add-in's."""

    def __init__(self, broker: Broker) -> None:
        self._broker, self._connected, self._spoilt, self._role = broker, False, False, ""
        self._set: set[str] = set()

    def __setattr__(self, name: str, value: object) -> None:
        if name in PROPERTIES:
            self._set.add(name)
        super().__setattr__(name, value)

    def connect(self, host: str, port: int, login: str, password: str, vhost: str, *rest: object) -> None:
        assert not self._connected, "a second Connect may end rphost"
        assert isinstance(port, int)
        if not self._broker.up:
            raise Raised("Connection refused")
        self._connected = True

    def basicpublish(self, exchange: str, key: str, body: str, _: int, persistent: bool) -> None:
        self._as("writer")
        assert self._set == set(PROPERTIES), "a property is left over from the message before"
        self._set.clear()
        number, self._broker.attempts = self._broker.attempts, self._broker.attempts + 1
        kept = self._broker.fails.get(number)
        if kept is not False:
            properties = {name: getattr(self, name) for name in PROPERTIES}
            self._broker.published.append(Published(exchange, key, body, persistent, properties))
        if kept is not None:
            self._spoilt = True
            raise Raised("AMQP server timeout error")

    def basicconsume(self, queue: str, tag: str, unconfirmed: bool, exclusive: bool, prefetch: int) -> None:
        self._as("reader")
        assert not unconfirmed
        assert 0 < prefetch <= 1000, "0 is no limit, and exhausts the memory"

    def basicconsumemessage(self, _: str, text: str, tag: int, timeout: int) -> tuple[bool, str, int]:
        self._as("reader")
        assert (text, tag) == ("", 0), "out parameters that are not reset leak"
        if not self._broker.waiting:
            self._broker.base.later += timeout
            return False, "", 0
        number, body = self._broker.waiting.popleft()
        return True, body, number

    basicconsumemessage.gives = (1, 2)  # type: ignore[attr-defined]  # its out parameters

    def basicack(self, tag: int) -> None:
        self._as("reader")
        self._broker.acked.append(tag)

    def basicreject(self, tag: int) -> None:
        self._as("reader")
        self._broker.rejected.append(tag)

    def _as(self, role: str) -> None:
        assert self._connected
        assert not self._spoilt, "after an error the object is good for nothing"
        assert self._role in ("", role), "one object both reads and writes: acks are lost"
        self._role = role
