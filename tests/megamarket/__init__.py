"""SberMegaMarket: its sandbox and its adapter."""
