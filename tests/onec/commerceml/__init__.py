"""CommerceML as 1C writes it, understood."""
