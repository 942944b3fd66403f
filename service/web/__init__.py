"""The hub over HTTP: the API, the marketplaces' hooks, the pages."""
