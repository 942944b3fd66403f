"""`definitions.json` is what the hub declares by itself, with users who may do their own work and nothing else."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError

from service.onec import topology
from service.onec.config import Onec, OnecSource
from tests.onec.kit.modules import KIT, words_of_the_readme
from tests.servers import Broker

Does = Callable[[AbstractChannel], Awaitable[Any]]
PASSWORD = "a password of the test"


class Imported:
    """The file in a broker, under names of the test's own."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._mark = uuid.uuid4().hex[:8]
        self.vhost = f"okno-{self._mark}"
        self.users: list[str] = []
        self.asked = json.loads((KIT / "definitions.json").read_text())
        for thing in (*self.asked["permissions"], *self.asked["users"]):
            key = "user" if "user" in thing else "name"
            thing[key] = self.user(thing[key])
        for things in self.asked.values():
            for thing in things:
                if "vhost" in thing:
                    thing["vhost"] = self.vhost
        self.asked["vhosts"] = [{"name": self.vhost}]

    def user(self, name: str) -> str:
        """A user's name in this test."""
        return f"{name}-{self._mark}"

    def load(self) -> None:
        """Imports the file, and sets the passwords as the page says."""
        self._broker.call("POST", "/api/definitions", self.asked)
        for user in ("okno", "onec"):
            self.let_in(user)

    def let_in(self, user: str) -> None:
        """Gives a user a password."""
        self.users.append(self.user(user))
        self._broker.call("PUT", f"/api/users/{self.user(user)}", {"password": PASSWORD, "tags": ""})

    def permit(self, user: str, configure: str, write: str, read: str) -> None:
        """`rabbitmqctl set_permissions`."""
        rights = {"configure": configure, "write": write, "read": read}
        self._broker.call("PUT", f"/api/permissions/{self.vhost}/{self.user(user)}", rights)

    def standing(self) -> dict[str, Any]:
        """What stands at the broker now."""
        found = json.loads(self._broker.call("GET", f"/api/definitions/{self.vhost}"))
        return {kind: found[kind] for kind in ("exchanges", "queues", "bindings")}

    def connect(self, user: str) -> Any:
        """A connection of this user's."""
        url = self._broker.url_of(self.vhost)
        return aio_pika.connect(re.sub(r"//[^@]*@", f"//{self.user(user)}:{PASSWORD.replace(' ', '%20')}@", url))

    def remove(self) -> None:
        """Leaves the broker as it was."""
        self._broker.remove_virtual_host(self.vhost)
        for user in self.users:
            self._broker.call("DELETE", f"/api/users/{user}")


@pytest.fixture
async def imported(rabbitmq: Broker) -> AsyncIterator[Imported]:
    imported = Imported(rabbitmq)
    imported.load()
    yield imported
    imported.remove()


def sorted_by_text(things: list[dict[str, Any]]) -> list[str]:
    """Definitions in an order that does not depend on who lists them; the place they stand in aside."""
    ignored = {"vhost", "type"}
    plain = [{k: v for k, v in thing.items() if k not in ignored or "internal" in thing} for thing in things]
    for thing in plain:
        thing.pop("vhost", None)
        if thing.get("arguments", {}).get("x-queue-type") == "classic":  # newer brokers write down what is meant
            del thing["arguments"]["x-queue-type"]
    return sorted(json.dumps(thing, sort_keys=True) for thing in plain)


async def publish(channel: AbstractChannel, exchange: str) -> None:
    """Publishes the way 1C's add-in does: in a transaction, and declaring nothing."""
    target = await channel.get_exchange(exchange, ensure=False)
    async with channel.transaction():
        await target.publish(aio_pika.Message(b"{}", delivery_mode=aio_pika.DeliveryMode.PERSISTENT), "ym-msk/1")


async def read(channel: AbstractChannel, queue: str) -> bytes:
    """Takes one message off a queue."""
    inbox: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    source = await channel.get_queue(queue, ensure=False)
    await source.consume(inbox.put)
    async with asyncio.timeout(10):
        message = await inbox.get()
    await message.ack()
    return message.body


async def refused(imported: Imported, user: str, does: Does) -> bool:
    """Whether a user is not let do something; each in a channel of its own, since a refusal closes it."""
    async with await imported.connect(user) as connection:
        channel = await connection.channel(publisher_confirms=False)
        try:
            await does(channel)
        except AMQPError as error:
            return "ACCESS_REFUSED" in str(error)
    return False


async def test_the_hub_adds_nothing_to_what_was_imported(imported: Imported) -> None:
    """Imported, then declared by the hub with its own rights: no conflict, and not one queue or binding more."""
    before = imported.standing()
    async with await imported.connect("okno") as connection:
        await topology.declare(connection, 1, topology.told(Onec(), ["ym-msk"]))
    after = imported.standing()
    for kind in ("exchanges", "queues", "bindings"):
        assert sorted_by_text(imported.asked[kind]) == sorted_by_text(before[kind])
        assert sorted_by_text(before[kind]) == sorted_by_text(after[kind])


async def test_nobody_gets_in_before_a_password_is_set(imported: Imported, rabbitmq: Broker) -> None:
    """The file holds no password: users without a hash are kept out until `rabbitmqctl change_password`."""
    assert {user["password_hash"] for user in imported.asked["users"]} == {""}
    rabbitmq.call(
        "POST", "/api/definitions", imported.asked
    )  # imported anew: the passwords are gone, as the page warns
    with pytest.raises(AMQPError):
        await imported.connect("onec")


async def test_1c_may_publish_and_read_its_queue(imported: Imported) -> None:
    """All that the kit does with RabbitMQ goes with 1C's rights."""
    async with await imported.connect("okno") as hub, await imported.connect("onec") as onec:
        hubs, onecs = [await each.channel(publisher_confirms=False) for each in (hub, onec)]
        await publish(onecs, "okno.in")
        assert await read(hubs, "okno.in.0") == b"{}"
        await publish(hubs, "okno.out")
        assert await read(onecs, "okno.1c") == b"{}"


async def test_1c_may_do_nothing_else(imported: Imported) -> None:
    """It can't declare, publish elsewhere or read what is the hub's."""
    attempts: dict[str, Does] = {
        "declare a queue": lambda channel: channel.declare_queue("okno.1c.mine", durable=True),
        "declare an exchange": lambda channel: channel.declare_exchange("okno.mine"),
        "publish to okno.out": lambda channel: publish(channel, "okno.out"),
        "publish past the exchanges": lambda channel: publish(channel, ""),
        "read okno.in.0": lambda channel: read(channel, "okno.in.0"),
        "read okno.unrouted": lambda channel: read(channel, "okno.unrouted"),
        "delete its queue": lambda channel: channel.queue_delete("okno.1c"),
    }
    assert {name for name, does in attempts.items() if not await refused(imported, "onec", does)} == set()


async def test_another_base_reads_its_own_queue_only(imported: Imported) -> None:
    """The rights the page gives to a second base: its queue is declared by the hub, and the other's is out of reach."""
    (rights,) = re.findall(r"set_permissions -p okno onec-unf '(.*?)' '(.*?)' '(.*?)'", words_of_the_readme())
    imported.let_in("onec-unf")
    imported.permit("onec-unf", *rights)
    async with await imported.connect("okno") as hub, await imported.connect("onec-unf") as onec:
        await topology.declare(hub, 1, topology.told(Onec(sources={"unf": OnecSource()}), ["ym-msk"]))
        hubs, onecs = [await each.channel(publisher_confirms=False) for each in (hub, onec)]
        await publish(onecs, "okno.in")
        await publish(hubs, "okno.out")
        assert await read(onecs, "okno.1c.unf") == b"{}"
    assert await refused(imported, "onec-unf", lambda channel: read(channel, "okno.1c"))
    assert await refused(imported, "onec-unf", lambda channel: publish(channel, "okno.out"))
