"""The demo and the sandbox as commands, and the parts they are made of."""
