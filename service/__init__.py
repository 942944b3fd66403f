"""The running hub: its edges (1C, web, marketplaces), its loops (reactor, dispatcher, poller), its commands."""
