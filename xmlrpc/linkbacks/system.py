"""What the XML-RPC endpoint says about itself. Pure. No multicall: it would make one request many (attack A6).

Source: xmlrpc-epi's introspection and capabilities; xmlrpc.com/spec.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linkbacks.calls import INVALID_PARAMETERS, Call, Fault


@dataclass(frozen=True, slots=True)
class Method:
    """What a method is for, and the types of its answer and its parameters (one list for each way to call it)."""

    help: str
    signatures: tuple[tuple[str, ...], ...]


_STRINGS = tuple(("struct", *["string"] * count) for count in range(1, 7))
METHODS = {
    "pingback.ping": Method(
        "Tell that a page links to a post of this planet: pingback.ping(source, target).",
        (("string", "string", "string"),),
    ),
    "pingback.extensions.getPingbacks": Method(
        "List the pages that link to a post of this planet: pingback.extensions.getPingbacks(target).",
        (("array", "string"),),
    ),
    "weblogUpdates.ping": Method(
        "Tell that a blog of this planet has changed: weblogUpdates.ping(name, url, …).", _STRINGS
    ),
    "weblogUpdates.extendedPing": Method(
        "Tell that a blog of this planet has changed: weblogUpdates.extendedPing(name, url, page, feed, tags).",
        _STRINGS,
    ),
    "rssCloud.notify": Method(
        "Tell that a feed of this planet has changed: rssCloud.notify(url).", (("boolean", "string"),)
    ),
    "system.listMethods": Method("List the methods of this endpoint.", (("array",),)),
    "system.methodHelp": Method("Tell what a method is for: system.methodHelp(name).", (("string", "string"),)),
    "system.methodSignature": Method(
        "Tell the types of a method's answer and parameters: system.methodSignature(name).", (("array", "string"),)
    ),
    "system.getCapabilities": Method("Tell which specifications this endpoint follows.", (("struct",),)),
}
_CAPABILITIES = {
    "xmlrpc": ("http://www.xmlrpc.com/spec", 1),
    "faults_interop": ("http://xmlrpc-epi.sourceforge.net/specs/rfc.fault_codes.php", 20010516),
    "introspection": ("http://phpxmlrpc.sourceforge.net/doc-2/ch10.html", 2),
}


def answer(call: Call) -> Any:
    """Answer a call of system.*.

    Raises: Fault.
    """
    if call.method == "system.listMethods":
        return sorted(METHODS)
    if call.method == "system.getCapabilities":
        return {name: {"specUrl": url, "specVersion": version} for name, (url, version) in _CAPABILITIES.items()}
    name = call.params[0] if len(call.params) == 1 else None
    if not isinstance(name, str) or name not in METHODS:
        raise Fault(INVALID_PARAMETERS, f"{call.method} takes the name of a method of this endpoint")
    if call.method == "system.methodHelp":
        return METHODS[name].help
    return [list(signature) for signature in METHODS[name].signatures]
