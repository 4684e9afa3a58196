"""Keeps secrets out of sight: which names tell of one, and in which forms its text turns up."""

from ingestd.plugins._secretnames import find_secrets, in_url, looks_secret
from ingestd.redaction.redactor import MASK, Redactor, is_time

__all__ = ["MASK", "Redactor", "find_secrets", "in_url", "is_time", "looks_secret"]
