"""1C's side: what it sends (CloudEvents, marks), what it is told (the outbox), and RabbitMQ in between."""
