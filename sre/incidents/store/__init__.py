"""The incident store: SQLite in a file by default, PostgreSQL by URL.

`open_store(url)` takes `sqlite:///path` or `postgresql://user@host/db` (the password from the environment or pgpass).
"""
