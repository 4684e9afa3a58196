"""What may go wrong with a database."""


class SqlError(Exception):
    """Nothing more could be read; the message says where and why, and has no secret."""
