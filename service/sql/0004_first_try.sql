-- When a command's turn first came: the marketplace was asked, by the call itself or by a read that goes before it. What
-- is told late is laid to those who had it in hand, so an outcome says when that began.
ALTER TABLE okno.attempts ADD COLUMN first_at timestamptz;
