"""Servers that Okno brings along: Postgres from a wheel, a private RabbitMQ where its server is installed.

Both keep everything under the hub's `data_dir`, listen to nobody but this machine, and can be started beside
others of their kind, by root or by an ordinary user, with the usual ports taken.
"""

from service.embedded.folders import EmbeddedServerError, writable_data_dir
from service.embedded.postgres import EmbeddedPostgres, start_postgres
from service.embedded.rabbitmq import PrivateRabbitMQ, find_rabbitmq, running_rabbitmq, start_rabbitmq

__all__ = [
    "EmbeddedPostgres",
    "EmbeddedServerError",
    "PrivateRabbitMQ",
    "find_rabbitmq",
    "running_rabbitmq",
    "start_postgres",
    "start_rabbitmq",
    "writable_data_dir",
]
