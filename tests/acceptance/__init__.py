"""Acceptance: a marketplace and a 1C written from the official documents drive a running hub from outside.

Nothing here imports the hub. What is known of it is CONTRACT.md: the command line, the HTTP API, the names in RabbitMQ.
"""
