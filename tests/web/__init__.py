"""The HTTP API, the hooks and the pages."""
