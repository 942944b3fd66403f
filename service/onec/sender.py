"""Sends CloudEvents the way 1C does: to RabbitMQ where one is configured, else to the hub over HTTP."""

import aiohttp
import msgspec

from service.onec.amqp import BrokerUnavailable, Publisher
from service.onec.cloudevents import BATCH, STRUCTURED
from service.onec.topology import IN, told
from service.settings import Settings

TIMEOUT = 10.0


class SendError(Exception):
    """It could not be sent, or was refused: why, in one line."""


async def send_events(settings: Settings, text: bytes, token: str | None) -> int:
    """Sends one event, an array, or one a line; how many. What the hub makes of them is its own matter."""
    bodies = split(text)
    if settings.rabbitmq.url is not None:
        await _publish(settings, bodies)
    else:
        await _post(settings, bodies, token)
    return len(bodies)


def split(text: bytes) -> list[bytes]:
    """The events of a file, each as its own JSON; what is no JSON at all goes as it is, for the hub to refuse."""
    text = text.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        found = msgspec.json.decode(text, type=list[msgspec.Raw] | dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return [line.strip() for line in text.splitlines() if line.strip()]
    return [bytes(item) for item in found] if isinstance(found, list) else [text]


class _Named(msgspec.Struct):
    id: str | None = None
    type: str | None = None
    subject: str | None = None


async def _publish(settings: Settings, bodies: list[bytes]) -> None:
    assert settings.rabbitmq.url is not None
    publisher = Publisher(settings.rabbitmq.url, settings.rabbitmq.partitions, told(settings.onec, settings.channels))
    try:
        await publisher.open()
        for body in bodies:
            try:
                named = msgspec.json.decode(body, type=_Named)
            except msgspec.DecodeError:
                named = _Named()
            await publisher.publish(
                IN, named.subject or "", body, id=named.id or "", type=named.type or "", headers={}, timeout=TIMEOUT,
                content_type=STRUCTURED,
            )  # fmt: skip
    except (BrokerUnavailable, OSError) as error:
        raise SendError(f"RabbitMQ did not take it: {error}") from error
    finally:
        await publisher.close()


async def _post(settings: Settings, bodies: list[bytes], token: str | None) -> None:
    if token is None:
        raise SendError(
            "no RabbitMQ is configured, and HTTP wants a token: okno token add NAME --role onec, then --token"
        )
    url = f"http://{settings.http.host}:{settings.http.port}/v1/events"
    headers = {"Authorization": f"Bearer {token.strip()}", "Content-Type": BATCH}
    body = b"[" + b",".join(bodies) + b"]"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
            session.post(url, data=body, headers=headers) as answer,
        ):
            told = await answer.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SendError(f"the hub does not answer at {url} ({error}): start it with okno run") from error
    if answer.status != 202:
        raise SendError(f"the hub answers {answer.status}: {told[:500]}")
