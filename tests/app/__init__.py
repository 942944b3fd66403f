"""The running hub: what is composed, and how it begins and ends."""
