"""Log lines: keys and values on stderr, JSON where nobody watches. They carry no personal data."""

import logging
import sys

import structlog

AGAIN_SECONDS = 60.0
"""A warning that says the very same comes no sooner: in an outage each loop of each channel has one a second."""

KEPT = 1000


class Sparing(logging.Filter):
    """Leaves out warnings that were written just now; the next one says how many `times` it came."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, tuple[float, int]] = {}  # what was said, when, and how often since

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written."""
        if record.levelno != logging.WARNING or record.exc_info:
            return True
        own = record.msg if isinstance(record.msg, dict) else None
        what = record.getMessage() if own is None else str({k: v for k, v in own.items() if k != "timestamp"})
        at, times = self._said.get(what, (float("-inf"), 0))
        if record.created - at < AGAIN_SECONDS:
            self._said[what] = at, times + 1
            return False
        self._said.pop(what, None)
        while len(self._said) >= KEPT:
            del self._said[next(iter(self._said))]
        self._said[what] = record.created, 0
        if times and own is not None:
            record.msg = own | {"times": times + 1}
        return True


def set_up(*, quiet: bool = False) -> None:
    """Sets logging up once, for our own lines and for libraries'; `quiet`: warnings only."""
    terminal = sys.stderr.isatty()
    level = logging.WARNING if quiet else logging.INFO
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        *([] if terminal else [structlog.processors.format_exc_info]),
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)  # locals would show buyers
        if terminal
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    handler.addFilter(Sparing())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("aio_pika", "aiormq", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING if chatty == "asyncio" else logging.CRITICAL)
