"""The log's tables and functions, numbered; `service.database.migrate` applies them."""
