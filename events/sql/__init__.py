"""The log's tables and functions, numbered; `apply` brings a database up to date."""
