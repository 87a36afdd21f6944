"""Turn a document's bytes into text, whatever its server and its first line say of its encoding. Pure.

A byte-order mark is believed first, then bytes that are valid UTF-8 (which other text hardly ever is), then
what the server says, what the document says, and what the bytes look like.
Source: XML 1.0 appendix F; RFC 7303 section 3; WHATWG Encoding (labels that mean more than they say).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# How "<?" or "<r" looks where there is no mark.
_STARTS = (
    (re.compile(rb"<\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0\0\0<"), "utf-32-be"),
    (re.compile(rb"[<{]\0[^\0]\0"), "utf-16-le"),
    (re.compile(rb"\0[<{]\0[^\0]"), "utf-16-be"),
    (re.compile(rb"\x4c\x6f\xa7\x94"), "cp037"),
)
# Senders mean the larger set of characters, of which the named one is a part; browsers read it so, too.
_MEANT = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
_ALIASES = {"x-sjis": "cp932", "x-gbk": "gb18030", "windows-874": "cp874", "x-euc-jp": "euc_jp", "unicode": "utf-8"}
# Encodings of one alphabet among each other can't be told apart by statistics: the most common one stands for them.
_LATIN = ["cp1252", "cp1250", "cp1254"]
_SNIFFED = [*_LATIN, "cp1251", "koi8_r", "iso8859_5", "cp1253", "cp1255", "cp1256", "cp932", "euc_jp", "gb18030",
            "big5", "cp949"]  # fmt: skip

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*["']\s*([A-Za-z0-9._:-]{1,40})\s*["']""")
_IN_PAGE = re.compile(rb"""<meta[^>]{1,200}?\bcharset\s*=\s*["']?\s*([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_CHARSET = re.compile(r"""\bcharset\s*=\s*["']?\s*([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_SAMPLE = 20_000
_FEWEST = 8
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,300}?\?>\s*")


def text_of(body: bytes, content_type: str) -> str:
    """Return a document's text without mark and XML declaration; what fits no encoding becomes U+FFFD."""
    return _XML_DECLARATION.sub("", _decoded(body, content_type).lstrip("\ufeff \t\r\n\0"), count=1)


def _decoded(body: bytes, content_type: str) -> str:
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            errors = "windows-1252-where-invalid" if encoding == "utf-8" else "replace"
            return body[len(mark) :].decode(encoding, errors)
    start = body[:64].lstrip(b" \t\r\n")
    for look, encoding in _STARTS:
        if look.match(start):
            named = _DECLARED.search(body[:1_000].decode(encoding, "replace").encode()) if encoding == "cp037" else None
            return body.decode(_codec(named[1].decode()) or encoding if named else encoding, "replace")
    if b"\x1b$" in body:  # ISO-2022-JP is all ASCII bytes, so it passes for UTF-8
        return body.decode("iso2022_jp", "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if _is_nearly_utf8(body):
        return body.decode("utf-8", "windows-1252-where-invalid")
    for encoding in _candidates(body, content_type):
        try:
            return body.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return body.decode("cp1252", "replace")


def _candidates(body: bytes, content_type: str) -> Iterator[str]:
    served = _CHARSET.search(content_type)
    by_server = _codec(served[1]) if served else ""
    declared = _DECLARED.search(body[:1_000]) or _IN_PAGE.search(body[:2_000])
    by_document = _codec(declared[1].decode()) if declared else ""
    # A server's Latin-1 is mostly its default, which nobody chose for this document.
    both = (by_document, by_server) if by_server == "cp1252" else (by_server, by_document)
    yield from filter(None, both)
    sample = _sample(body)
    accented = sum(byte >= 0x80 for byte in sample)
    if accented > max(len(sample) // 5, _FEWEST):  # else it is a Latin alphabet with some accents
        from charset_normalizer import from_bytes  # 5 MB that hardly any process needs

        sniffed = from_bytes(sample, cp_isolation=_SNIFFED).best()
        if sniffed is not None and sniffed.encoding not in _LATIN:
            yield sniffed.encoding
    yield "cp1252"


def _sample(body: bytes) -> bytes:
    """The parts that tell encodings apart: words with bytes beyond ASCII, and their neighbours."""
    return b" ".join(re.findall(rb"[^<>]{0,40}[\x80-\xff][^<>]{0,200}", body)[:500])[:_SAMPLE]


def _codec(label: str) -> str:
    """The codec that a label stands for, or "" for one that is unknown, or that is never text."""
    label = _ALIASES.get(label.lower(), label)
    try:
        found = codecs.lookup(label)
    except (LookupError, ValueError):
        return ""
    if not found._is_text_encoding or found.name in ("utf-8", "utf-7") or found.name.startswith("utf-16"):
        return ""  # UTF-8 has been tried, UTF-16 has a mark or a look; UTF-7 is a trick
    return _MEANT.get(found.name, found.name)


def _is_nearly_utf8(body: bytes) -> bool:
    """Tell whether what looks like UTF-8 in a text is far more than what doesn't."""
    rest = body.decode("utf-8", "ignore").encode("utf-8")
    invalid = len(body) - len(rest)
    characters = sum(1 for byte in rest if byte >= 0xC0)
    return characters >= 5 * invalid


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("windows-1252-where-invalid", _as_windows_1252)
