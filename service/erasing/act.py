"""The act of destruction: what 152-ФЗ (art. 21) and Roskomnadzor's order 179 of 2022 ask an operator to keep.

It is made of the log alone, so it can be had again whenever it is asked for: the printed one may be lost, or the
process have died before it was printed. Who the operator is, and how he signs, the hub does not know: blanks are left.
"""

from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from importlib import resources
from importlib.metadata import version
from typing import Final
from zoneinfo import ZoneInfo

import jinja2
import msgspec

from events.codec import decode
from events.log import Log, waits
from events.order import facts as f
from events.order.state import fold
from events.recorded import Recorded
from service.database import Pool

TABLES: Final = ("okno.personal", "okno.bodies", "okno.rejected", "okno.attempts")

OUT_OF_REACH: Final = (
    "RabbitMQ: messages that were not read yet, dead letters",
    "1C: all it was told before, and files it is sending now (an hour after its session they are gone)",
    "the marketplace",
    "backups, archived WAL, replicas: erase again after a restore",
    "pages of the database's files until Postgres reuses them (VACUUM)",
    "exports and labels made before",
)

KINDS: Final = {
    "name": "фамилия, имя, отчество", "phone": "номер телефона", "email": "адрес электронной почты",
    "trusted": "отметка маркетплейса о проверке покупателя", "address": "адрес доставки",
    "comment": "комментарий к заказу", "courier": "имя курьера", "code": "код получения заказа",
    "extra": "прочие поля сообщений 1С и маркетплейса", "attributes": "дополнительные атрибуты сообщений",
    "other": "прочее", "messages": "сообщения 1С и маркетплейса в исходном виде",
    "exchanges": "запросы к маркетплейсу и его ответы", "rejected": "неразобранные сообщения",
}  # fmt: skip
"""How the act calls the categories of `holdings.CATEGORIES`."""

# A fact's own hash, and the link of the seals it stands in.
SEALED = """
SELECT e.hash, s.number, s.first_position, s.last_position, s.seal, current_database() AS database
FROM okno.events e CROSS JOIN LATERAL (
    SELECT number, first_position, last_position, seal FROM okno.seals WHERE last_position >= e.position
    ORDER BY last_position LIMIT 1) s
WHERE e.position = $1
"""


class System(msgspec.Struct, frozen=True):
    """What the data were destroyed in."""

    version: str
    database: str
    tables: tuple[str, ...] = TABLES
    name: str = "Okno"


class Extract(msgspec.Struct, frozen=True, kw_only=True):
    """The fact as it stands in the log. `seal`: of its link, the head's at that moment; hashes in hex."""

    position: int
    version: int
    type: str
    recorded_at: datetime
    bodies: int
    personal: int
    rejected: int
    hash: str
    link: int
    first_position: int
    last_position: int
    seal: str


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What was destroyed of an order, when, why, by whom, out of what; `text` is the act to print and sign."""

    order: str
    number: str
    document: f.Document | None
    categories: tuple[str, ...]
    system: System
    reason: str
    actor: str
    extract: Extract
    out_of_reach: tuple[str, ...] = OUT_OF_REACH
    text: str = ""


@waits
async def acts(log: Log, pool: Pool, order: str, positions: Sequence[int], zone: ZoneInfo) -> list[Act]:
    """The acts of an order's erasures at these positions."""
    history = (await log.histories([order]))[order]
    state = fold(order, history)
    found = []
    for event in history:
        fact = decode(event)
        if event.position in positions and isinstance(fact, f.Erased):
            number = state.number or order.partition("/")[2]
            act = await _act(pool, event, fact, number, state.document)
            found.append(msgspec.structs.replace(act, text=text(act, zone)))
    return found


async def _act(pool: Pool, event: Recorded, fact: f.Erased, number: str, document: f.Document | None) -> Act:
    row = await pool.fetchrow(SEALED, event.position)
    assert row is not None
    extract = Extract(
        position=event.position, version=event.version, type=event.type, recorded_at=event.recorded_at,
        bodies=fact.bodies, personal=fact.personal, rejected=fact.rejected, hash=row["hash"].hex(), link=row["number"],
        first_position=row["first_position"], last_position=row["last_position"], seal=row["seal"].hex(),
    )  # fmt: skip
    return Act(
        order=event.order, number=number, document=document, categories=fact.categories,
        system=System(version("okno"), row["database"]), reason=fact.reason, actor=event.actor, extract=extract,
    )  # fmt: skip


def text(act: Act, zone: ZoneInfo) -> str:
    """The act to print and sign, with the extract of the log."""

    def moment(value: datetime) -> str:
        local = value.astimezone(zone)
        return f"{local:%d.%m.%Y %H:%M:%S} (UTC{local.isoformat()[-6:]}, {zone.key})"

    def day(value: date) -> str:
        return f"{value:%d.%m.%Y}"

    return _template().render(act=act, kinds=KINDS, moment=moment, day=day)


@cache
def _template() -> jinja2.Template:
    source = (resources.files("service.erasing") / "act.ru.txt").read_text(encoding="utf-8")
    made = jinja2.Environment(  # noqa: S701  # plain text, for paper
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    return made.from_string(source)
