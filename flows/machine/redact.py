"""Secrets of the environment, kept out of whatever a flow says: its log, its messages, its pages.

Importing this module makes every log record of the process pass `redact`. What a person gives as a secret (a tracking
URI with a password, a storage key) is known by the variable's name or by its place in an address.
"""

import logging
import os
import re
from traceback import format_exception
from typing import Any
from urllib.parse import unquote

HIDDEN = "***"
NAMED = re.compile(r"KEY|SECRET|TOKEN|PASSW|CREDENTIAL", re.IGNORECASE)
USER_INFO = re.compile(r"(?<=://)[^\s/@'\"]+(?=@)")
SHORTEST = 6  # a shorter value is a switch, such as "true", and would be found inside any word


def redact(text: str) -> str:
    """`text` with every secret of the environment, and every user's part of an address, as `***`."""
    for secret in _secrets():
        text = text.replace(secret, HIDDEN)
    return USER_INFO.sub(HIDDEN, text)


def _secrets() -> list[str]:
    """Longest first, so that no end of one is left where another begins like it."""
    named = {value for name, value in os.environ.items() if NAMED.search(name)}
    users = {info for value in os.environ.values() for info in USER_INFO.findall(value)}
    passwords = {info.partition(":")[2] for info in users}
    passwords |= {unquote(password) for password in passwords}
    return sorted((value for value in named | users | passwords if len(value) >= SHORTEST), key=len, reverse=True)


def _redact_records() -> None:
    make = logging.getLogRecordFactory()

    def factory(*arguments: Any, **options: Any) -> logging.LogRecord:
        record = make(*arguments, **options)
        try:
            record.msg, record.args = redact(record.getMessage()), ()
        except (TypeError, ValueError):
            return record  # logging tells of a wrong format itself
        if record.exc_info and record.exc_info[1]:
            record.exc_text = redact("".join(format_exception(record.exc_info[1])).rstrip())
        return record

    logging.setLogRecordFactory(factory)


_redact_records()
