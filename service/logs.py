"""Log lines: keys and values on stderr, JSON where nobody watches. They carry no personal data."""

import logging
import sys

import structlog


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
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("aio_pika", "aiormq", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING if chatty == "asyncio" else logging.CRITICAL)
