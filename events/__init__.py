"""What an order's history is made of, and the log that keeps it.

`order/` is pure: facts, state, what follows from them. `log` is the only module here that speaks to Postgres.
"""
