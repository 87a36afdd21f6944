"""A farm of generated feeds, each at an address of its own (127.x.y.z), served by nginx.

RSS 2.0, RSS 1.0 and Atom, 10 to 20 entries and 30 to 150 KB each. With validators and gzip, or without validators; over
TLS with a certificate of the farm's own.
"""

from __future__ import annotations

import gzip
import random
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import free_port, program, wait_for

WORDS = [
    *("patient", "record", "downtime", "alarm", "nurse", "interface", "FHIR", "HL7", "consent", "portal", "vendor"),
    *("clinic", "ward", "data", "quality", "exchange", "model", "audit", "message", "standard", "hospital", "policy"),
    *("privacy", "workflow", "safety", "order", "result", "medication", "queue", "template", "naïve", "café", "we’re"),
]
_MONTH = "Nov"


@dataclass(frozen=True, slots=True)
class Farm:
    """A farm that is served: `size` is the bytes of all feeds; `authority` the file that vouches for its TLS."""

    folder: Path
    feeds: int
    port: int
    bare_port: int
    tls_port: int
    size: int

    def urls(self, kind: str = "plain") -> list[str]:
        """The addresses of the feeds: "plain", "bare" (no validators) or "tls"."""
        port = {"plain": self.port, "bare": self.bare_port, "tls": self.tls_port}[kind]
        scheme = "https" if kind == "tls" else "http"
        return [f"{scheme}://{address(number)}:{port}/{number}.xml" for number in range(self.feeds)]

    @property
    def authority(self) -> Path:
        """The certificate of the farm, which vouches for itself."""
        return self.folder / "farm.pem"

    def entries(self, feeds: int) -> int:
        """How many entries the first so many feeds had at the beginning."""
        return sum(_shape(number)[0] for number in range(feeds))

    def changed(self, share: float, version: int) -> Callable[[], None]:
        """Prepare another version of some of the feeds; return what lets them have it, in a moment.

        `version` is how many entries each has besides those of the beginning.
        """
        numbers = range(0, self.feeds, round(1 / share))
        for number in numbers:
            _write(self.folder / "feeds", number, version)
        return lambda: _publish(self.folder / "feeds", numbers)


def address(number: int) -> str:
    """The address of a feed's server."""
    return f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"


@contextmanager
def serving(folder: Path, feeds: int) -> Iterator[Farm]:
    """Serve a farm from a folder until the block ends."""
    for readable in (folder.parent, folder):  # nginx reads as another user
        readable.chmod(0o755)
    (folder / "feeds").mkdir()
    size = sum(_write(folder / "feeds", number, 0) for number in range(feeds))
    _publish(folder / "feeds", range(feeds))
    farm = Farm(folder, feeds, free_port(), free_port(), free_port(), size)
    _make_certificate(folder, feeds)
    (folder / "nginx.conf").write_text(_nginx(farm))
    server = subprocess.Popen(
        [program("nginx"), "-c", str(folder / "nginx.conf"), "-p", str(folder)], stderr=subprocess.DEVNULL
    )
    try:
        wait_for(farm.port, address(0))
        yield farm
    finally:
        server.terminate()
        server.wait()


def _write(folder: Path, number: int, version: int) -> int:
    """Write a feed beside the one that is served; return its size in bytes."""
    (entries, paragraphs), chance = _shape(number), random.Random(number)
    kind = (_rss, _atom, _atom, _rdf)[number % 4]
    posts = [(n, _text(chance, paragraphs)) for n in range(entries)]
    posts += [(entries + n, _text(chance, paragraphs)) for n in range(version)]
    body = kind(number, posts[-20:]).encode()
    (folder / f"{number}.xml.part").write_bytes(body)
    (folder / f"{number}.xml.gz.part").write_bytes(gzip.compress(body, 6))
    return len(body)


def _publish(folder: Path, numbers: Iterable[int]) -> None:
    for name in (f"{number}.xml{packed}" for number in numbers for packed in ("", ".gz")):
        (folder / f"{name}.part").replace(folder / name)


def _shape(number: int) -> tuple[int, int]:
    """How many entries a feed has, and of how many paragraphs each is."""
    chance = random.Random(-number - 1)
    return chance.randint(10, 20), chance.randint(5, 12)


def _text(chance: random.Random, paragraphs: int) -> str:
    link = "&lt;a href=&quot;https://elsewhere.example/post&quot;&gt;elsewhere&lt;/a&gt;"
    return "".join(
        f"&lt;p&gt;{' '.join(chance.choices(WORDS, k=80))}, {link}.&lt;/p&gt;&#10;" for _ in range(paragraphs)
    )


def _home(number: int) -> str:
    return f"http://b{number}.example/"


def _rss(number: int, posts: list[tuple[int, str]]) -> str:
    items = "".join(
        f"<item><title>Post {n} &amp;amp; more</title><link>{_home(number)}{n}</link>"
        f"<guid isPermaLink='false'>{number}-{n}</guid><dc:creator><![CDATA[Jane Doe]]></dc:creator>"
        f"<category><![CDATA[Records]]></category><pubDate>Sun, {n + 1:02} {_MONTH} 2026 10:00:00 +0000</pubDate>"
        f"<description><![CDATA[Words of post {n} [&#8230;]]]></description><content:encoded>{text}</content:encoded>"
        f"<slash:comments>{n}</slash:comments></item>"
        for n, text in posts
    )
    spaces = (
        "xmlns:content='http://purl.org/rss/1.0/modules/content/' xmlns:dc='http://purl.org/dc/elements/1.1/'"
        " xmlns:slash='http://purl.org/rss/1.0/modules/slash/'"
    )
    head = f"<title>Blog {number}</title><link>{_home(number)}</link><description>d</description>"
    return f"<?xml version='1.0' encoding='UTF-8'?><rss version='2.0' {spaces}><channel>{head}{items}</channel></rss>"


def _rdf(number: int, posts: list[tuple[int, str]]) -> str:
    items = "".join(
        f"<item rdf:about='{_home(number)}{n}'><title>Post {n}</title><link>{_home(number)}{n}</link>"
        f"<dc:date>2026-11-{n + 1:02}T10:00:00Z</dc:date><description>{text}</description></item>"
        for n, text in posts
    )
    spaces = (
        "xmlns='http://purl.org/rss/1.0/' xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'"
        " xmlns:dc='http://purl.org/dc/elements/1.1/'"
    )
    head = f"<title>Blog {number}</title><link>{_home(number)}</link><description>d</description>"
    return (
        f"<?xml version='1.0'?><rdf:RDF {spaces}><channel rdf:about='{_home(number)}'>{head}</channel>{items}</rdf:RDF>"
    )


def _atom(number: int, posts: list[tuple[int, str]]) -> str:
    entries = "".join(
        f"<entry><title type='html'>Post {n}</title><id>{_home(number)}{n}</id><link href='{_home(number)}{n}'/>"
        f"<published>2026-11-{n + 1:02}T10:00:00Z</published><updated>2026-11-{n + 1:02}T11:00:00Z</updated>"
        f"<author><name>Jane Doe</name></author><category term='Records'/><content type='html'>{text}</content></entry>"
        for n, text in posts
    )
    head = f"<title>Blog {number}</title><id>{_home(number)}</id><link href='{_home(number)}'/>"
    return f"<?xml version='1.0'?><feed xmlns='http://www.w3.org/2005/Atom'>{head}{entries}</feed>"


def _make_certificate(folder: Path, feeds: int) -> None:
    names = ",".join(f"IP:{address(number)}" for number in range(feeds))
    (folder / "names.cnf").write_text(
        f"[req]\ndistinguished_name=d\nx509_extensions=x\nprompt=no\n[d]\nCN=farm\n[x]\nsubjectAltName={names}\n"
    )
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-config", str(folder / "names.cnf"), "-keyout", str(folder / "farm.key"), "-out", str(folder / "farm.pem")],
        check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _nginx(farm: Farm) -> str:
    folder = farm.folder

    def listening(port: int, how: str = "") -> str:
        # Sockets of each address by themselves: so nothing but loopback is listened on.
        return "".join(f"listen {address(number)}:{port} {how};\n" for number in range(farm.feeds))

    common = f"root {folder}/feeds; gzip_static on; keepalive_requests 100000;"
    bare = 'etag off; if_modified_since off; add_header Last-Modified "";'
    tls = f"ssl_certificate {folder}/farm.pem; ssl_certificate_key {folder}/farm.key; ssl_session_tickets off;"
    return (
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; worker_rlimit_nofile 65536;\n"
        "events { worker_connections 16384; }\n"
        f"http {{ access_log off; types {{ application/xml xml; }}\n"
        f"server {{ {listening(farm.port)} {common} etag on; }}\n"
        f"server {{ {listening(farm.bare_port)} {common} {bare} }}\n"
        f"server {{ {listening(farm.tls_port, 'ssl')} {common} {tls} etag on; }} }}\n"
    )


def configured(folder: Path, urls: list[str], more: str = "") -> Path:
    """Write a feeds.toml for some feeds on loopback."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = "".join(f'[[feeds]]\nurl = "{url}"\n' for url in urls)
    path = folder / "feeds.toml"
    path.write_text(
        '[planet]\ntitle = "Bench"\nurl = "http://127.0.0.1/"\n'
        f'[network]\nallow_addresses = ["127.0.0.0/8"]\n{more}{tables}'
    )
    return path
