"""What 1C sends and is told, and RabbitMQ in between."""
