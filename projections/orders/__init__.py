"""Current orders: one row each, without personal data."""
