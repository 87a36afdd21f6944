"""Form bodies as senders of trackbacks and webmentions write them: bytes to texts. Pure."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from email.message import Message
from urllib.parse import unquote_to_bytes

MOST_FIELDS = 50
_LONGEST_CHARSET = 40
_CODECS = {"utf-8", "ascii", "iso8859-1", "iso8859-2", "iso8859-15", "cp1250", "cp1251", "cp1252", "koi8-r",
           "shift_jis", "euc_jp", "gb2312", "gbk", "gb18030", "big5", "euc_kr"}  # fmt: skip


def read(body: bytes, content_type: str) -> Mapping[str, str]:
    """Return the fields of an application/x-www-form-urlencoded body, of a field given twice the first.

    The charset is that of the Content-Type, else that of the field `charset`, else UTF-8, else Windows-1252
    (research, 1.3). What is not such a form has no fields.
    """
    if body.count(b"&") >= MOST_FIELDS:
        return {}
    raw: dict[bytes, bytes] = {}
    for field in body.split(b"&"):  # the standard library's parse_qsl decodes bytes as it likes
        name, _, value = field.partition(b"=")
        raw.setdefault(_unquoted(name), _unquoted(value))
    names = [_declared(content_type), raw.get(b"charset", b"").decode("ascii", "replace")]
    codec = next((codec for codec in map(_codec, names) if codec), "")
    return {name.decode("utf-8", "replace"): _decoded(value, codec) for name, value in raw.items()}


def _unquoted(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def _declared(content_type: str) -> str:
    message = Message()
    message["content-type"] = content_type.replace("\r", " ").replace("\n", " ")
    charset = message.get_param("charset")
    return charset if isinstance(charset, str) else ""


def _codec(name: str) -> str:
    """A codec that we know by a name of decent length; anything else is as if nothing had been said (attack A21)."""
    if not name or len(name) > _LONGEST_CHARSET:
        return ""
    try:
        found = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        return ""
    return found if found in _CODECS else ""


def _decoded(value: bytes, codec: str) -> str:
    if codec and codec != "utf-8":
        return value.decode(codec, "replace")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("windows-1252", "replace")
