"""XML-RPC on the wire: a hostile body in, a call out; a value or a fault in, an answer out. Pure.

Source: xmlrpc.com/spec; Specification for Fault Code Interoperability (xmlrpc-epi).
"""

from __future__ import annotations

import codecs
import re
import xmlrpc.client
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.xmlrpc import DefusedExpatParser

LONGEST_BODY = 65_536
DEEPEST = 32
MOST_ELEMENTS = 1_000
CONTENT_TYPE = "text/xml; charset=utf-8"

NOT_WELL_FORMED = -32700
UNSUPPORTED_ENCODING = -32701
NOT_CONFORMING = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMETERS = -32602

_DECLARATION = re.compile(r"<\?xml\b[^>]{0,200}\?>")
_ENCODING = re.compile(rb"^<\?xml\b[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_BARE_AMPERSAND = re.compile(r"&(?!#?\w{1,20};)")
_CODECS = {"utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "iso8859-1", "iso8859-15", "cp1252", "koi8-r",
           "shift_jis", "euc_jp", "gb2312", "gbk", "big5", "euc_kr"}  # fmt: skip
# What nearly all senders write: two strings in ASCII with nothing to unescape. The reader would find the same.
_USUAL = re.compile(
    rb"""[ \t\r\n]*+(?:<\?xml\ version=["']1\.[01]["'](?:\ encoding=["'](?:utf|UTF)-8["'])?\ ?\?>[ \t\r\n]*+)?+
    <methodCall>_<methodName>([A-Za-z.]{1,40})</methodName>_<params>_
    <param>_<value>_<string>([\ -%'-;=?-~]*+)</string>_</value>_</param>_
    <param>_<value>_<string>([\ -%'-;=?-~]*+)</string>_</value>_</param>_
    </params>_</methodCall>_""".replace(b"_", rb"[ \t\r\n]*+"),
    re.VERBOSE,
)
_STRING = (
    "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><string>%s</string></value>\n</param>\n"
    "</params>\n</methodResponse>\n"
)
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Call:
    """A method and its parameters."""

    method: str
    params: tuple[Any, ...]


class Fault(Exception):
    """What the caller is told when a call fails."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Bounded(xmlrpc.client.Unmarshaller):
    """The standard library's reader, with a bound on depth and on the number of elements."""

    def __init__(self) -> None:
        super().__init__(use_builtin_types=True)
        self._depth = 0
        self._elements = 0
        self.has_params = False

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > DEEPEST or self._elements > MOST_ELEMENTS:
            raise Fault(NOT_CONFORMING, "the call is nested too deeply or holds too much")
        self.has_params = self.has_params or tag == "params"
        super().start(tag, attrs)

    def end(self, tag: str) -> None:
        self._depth -= 1
        super().end(tag)


def read(body: bytes) -> Call:
    """Read a method call as real senders write it: white space before it, bare ampersands, wrong bytes.

    Raises: Fault, for everything that is no call.
    """
    if len(body) > LONGEST_BODY:
        raise Fault(NOT_CONFORMING, f"the call is longer than {LONGEST_BODY:,} bytes")
    if usual := _USUAL.fullmatch(body):
        method, first, second = usual.groups()
        return Call(method.decode(), (first.decode(), second.decode()))
    text = _decoded(body)
    try:
        return _parsed(text)
    except Fault as fault:
        repaired = _BARE_AMPERSAND.sub("&amp;", text)
        if fault.code != NOT_WELL_FORMED or repaired == text:
            raise
        return _parsed(repaired)


def read_answer(body: bytes) -> Any:
    """Read the answer to a call of ours.

    Raises: Fault, with what the server says, or because it is no answer.
    """
    if len(body) > LONGEST_BODY:
        raise Fault(NOT_CONFORMING, "the answer is too long")
    target = _Bounded()
    parser = DefusedExpatParser(target, forbid_dtd=True)
    try:
        parser.feed(_decoded(body))
        parser.close()
        return target.close()[0]
    except Fault:
        raise
    except xmlrpc.client.Fault as error:
        code = error.faultCode if isinstance(error.faultCode, int) else NOT_CONFORMING
        raise Fault(code, str(error.faultString)) from error
    except Exception as error:  # whatever a parser makes of what a stranger's server sends
        raise Fault(NOT_WELL_FORMED, "the answer is not XML-RPC") from error


def answer(value: Any) -> bytes:
    """Write the answer to a call."""
    if isinstance(value, str):  # most answers; the writer would write the same
        return (_STRING % escape(value)).encode("utf-8", "replace")
    return xmlrpc.client.dumps((value,), methodresponse=True, encoding="utf-8").encode("utf-8", "replace")


def fault(code: int, reason: str) -> bytes:
    """Write the answer to a call that failed."""
    return xmlrpc.client.dumps(xmlrpc.client.Fault(code, reason), methodresponse=True, encoding="utf-8").encode()


def _decoded(body: bytes) -> str:
    body = body.lstrip(b" \t\r\n")
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = body.decode("utf-16", "replace")
    else:
        body = body.removeprefix(codecs.BOM_UTF8).lstrip(b" \t\r\n")
        declared = _ENCODING.match(body)
        text = body.decode(_codec(declared[1].decode("ascii") if declared else "utf-8"), "replace")
    return _NOT_XML.sub("", _DECLARATION.sub("", text, count=1)).lstrip()


def _codec(name: str) -> str:
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        codec = ""
    if codec not in _CODECS:
        raise Fault(UNSUPPORTED_ENCODING, "send the call in UTF-8")
    # Bytes that an ASCII tag could be found in are not UTF-16, whatever they declare (spam does).
    return "utf-8" if codec.startswith("utf-16") else codec


def _parsed(text: str) -> Call:
    target = _Bounded()
    parser = DefusedExpatParser(target, forbid_dtd=True)
    try:
        parser.feed(text)
        parser.close()
        method = target.getmethodname()
        params = target.close() if method is None or target.has_params else ()
    except Fault:
        raise
    except DefusedXmlException as error:
        raise Fault(NOT_WELL_FORMED, "a call holds no DOCTYPE and no entities of its own") from error
    except xmlrpc.client.Fault as error:
        raise Fault(NOT_CONFORMING, "this is an answer, not a call") from error
    except (ValueError, TypeError, IndexError, LookupError, ArithmeticError, xmlrpc.client.ResponseError) as error:
        raise Fault(NOT_CONFORMING, "this is not a method call") from error
    except Exception as error:  # expat's own error type, and whatever else a parser may raise
        raise Fault(NOT_WELL_FORMED, "the call is not well-formed XML") from error
    if not method or not isinstance(params, tuple):
        raise Fault(NOT_CONFORMING, "this is not a method call")
    return Call(str(method), params)
