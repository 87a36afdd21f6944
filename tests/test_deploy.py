"""What `deploy/` holds works as it is there: nginx in front, unit files, alert rules, the dashboard."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import ssl
import subprocess
import sys
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from email.message import Message
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path

import pytest

from aggregator import store
from aggregator.serve import health
from aggregator.serve.pages import _PINGABLE, SAFETY
from tests.builders import NOON, rss
from tests.farm import Farm, Reply, eventually, quiet_port
from tests.test_processes import Running
from tests.world import World

DEPLOY = Path(__file__).parents[1] / "deploy"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
needs_nginx = pytest.mark.skipif(not NGINX, reason="nginx is not here")
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
UNITS = sorted(DEPLOY.glob("*.service"))
PROXIES = '[network]\nallow_addresses = ["127.0.0.0/8"]\nproxies = ["127.0.0.1/32"]\n'


class Front:
    """nginx on free ports of loopback, with a configuration of ours."""

    def __init__(self, folder: Path, site: str, planet: Running) -> None:
        self.http, self.https = quiet_port(), quiet_port()
        self.context = ssl.create_default_context(cafile=folder / "cert.pem")
        public = planet.folder / "data" / "public"
        for old, new in (
            ("listen 80;", f"listen 127.0.0.1:{self.http};"),
            ("listen 443 ssl http2;", f"listen 127.0.0.1:{self.https} ssl http2;"),
            ("/etc/letsencrypt/live/planet.example/fullchain.pem", f"{folder}/cert.pem"),
            ("/etc/letsencrypt/live/planet.example/privkey.pem", f"{folder}/key.pem"),
            ("/var/lib/planet/data/public", str(public)),
            ("127.0.0.1:8000", f"127.0.0.1:{planet.port}"),
            ("https://planet.example", f"https://localhost:{self.https}"),
            ("planet.example", "localhost"),
        ):
            site = site.replace(old, new)
        site = re.sub(r"\n\s*listen \[::\][^\n]*", "", site)
        temp = "".join(
            f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(
            f"{user}pid {folder}/pid;\nerror_log {folder}/error.log;\ndaemon off;\nevents {{}}\n"
            f"http {{\ninclude /etc/nginx/mime.types;\naccess_log {folder}/access.log;\n{temp}{site}\n}}\n"
        )
        self.process = subprocess.Popen([str(NGINX), "-p", folder, "-c", folder / "nginx.conf"])

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, came_from: str = "127.0.0.1", **headers: str
    ) -> tuple[int, Message, bytes]:
        connection = HTTPSConnection(
            "localhost", self.https, timeout=5, context=self.context, source_address=(came_from, 0)
        )
        with closing(connection):
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer: HTTPResponse = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def has(self, text: str, path: str) -> Callable[[], bool]:
        def look() -> bool:
            with suppress(OSError):
                return text.encode() in self.ask(path)[2]
            return False

        return look

    def permalink(self, path: str) -> str:
        page = re.search(r'href="(\S*/posts/[^"#]+)"', self.ask(path)[2].decode())
        assert page is not None
        return page[1]

    def ping(self, path: str, source: str, target: str, came_from: str) -> None:
        call = xmlrpc.client.dumps((source, target), "pingback.ping").encode()
        status, _, body = self.ask(path, "POST", call, came_from, X_Forwarded_For="8.8.8.8")
        assert status == 200
        xmlrpc.client.loads(body)


@contextmanager
def front(folder: Path, site: str, planet: Running) -> Iterator[Front]:
    folder.mkdir()
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", *names],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    made = Front(folder, site, planet)
    try:
        yield made
    finally:
        made.process.terminate()
        made.process.wait(10)


def clients(planet: Running) -> set[str]:
    with closing(sqlite3.connect(planet.folder / "data" / "planet.db")) as database:
        return {row[0] for row in database.execute("SELECT client FROM linkback")}


@needs_nginx
def test_nginx_serves_pages_from_disk_and_hands_the_rest_to_the_planet(tmp_path: Path, web: Farm) -> None:
    planet = Running(tmp_path, web)
    try:
        planet.config.write_text(
            planet.config.read_text().replace('[network]\nallow_addresses = ["127.0.0.0/8", "::1/128"]\n', PROXIES)
        )
        with front(tmp_path / "front", (DEPLOY / "nginx.conf").read_text("utf-8"), planet) as nginx:
            eventually(nginx.has("Question", "/"))  # from disk, perhaps before the planet itself answers
            eventually(planet.has("Question"))
            page = nginx.permalink("/")
            status, headers, body = nginx.ask(page)
            head = nginx.ask(page, "HEAD")
            unchanged = nginx.ask(page, If_None_Match=str(headers["ETag"]))
            squeezed = nginx.ask("/", Accept_Encoding="gzip")
            bare = nginx.ask(page.rstrip("/"))
            missing = nginx.ask("/no-such-page/")
            style = re.search(r'href="(/static/[^"]+)"', body.decode())
            nginx.ping("/xmlrpc", web.html("/answer", "x"), planet.post_url, "127.0.0.2")
            figures, hidden = nginx.ask("/metrics"), nginx.ask("/metrics", came_from="127.0.0.2")
            redirect = HTTPConnection("localhost", nginx.http, timeout=5)
            with closing(redirect):
                redirect.request("GET", "/x?y=1")
                moved = redirect.getresponse()

            assert (status, unchanged[0], unchanged[2]) == (200, 304, b"")
            assert headers["Server"].startswith("nginx")
            for seen in (headers, head[1], unchanged[1]):
                assert seen.get_all("X-Pingback") == [f"https://localhost:{nginx.https}/xmlrpc"]
                assert seen.get_all("Link") == [f'<https://localhost:{nginx.https}/webmention>; rel="webmention"']
                assert seen["Cache-Control"] == "public, max-age=0, must-revalidate"
            assert head[2] == b""
            assert nginx.ask("/")[1].get_all("X-Pingback") is None
            assert squeezed[1]["Content-Encoding"] == "gzip"
            assert (bare[0], bare[1]["Location"]) == (301, page)
            assert bare[1].get_all("X-Pingback") == [f"{planet.url}xmlrpc"]
            assert (missing[0], b"There is no such page" in missing[2]) == (404, True)
            assert style is not None
            assert "immutable" in nginx.ask(style[1])[1]["Cache-Control"]
            assert clients(planet) == {"127.0.0.2"}
            assert (figures[0], hidden[0]) == (200, 403)
            assert (moved.status, moved.headers["Location"]) == (301, f"https://localhost:{nginx.https}/x?y=1")
    finally:
        planet.end()


@needs_nginx
def test_nginx_serves_a_planet_below_a_path(tmp_path: Path, web: Farm) -> None:
    planet = Running(tmp_path, web)
    planet.end()
    text = (
        planet.config.read_text()
        .replace(planet.url, f"{planet.url}planet/")
        .replace("allow_addresses", 'proxies = ["127.0.0.1/32"]\nallow_addresses')
    )
    planet.config.write_text(text)
    planet.log = (tmp_path / "log").open("ab")
    planet.process = planet.start("run")
    listens = "listen 443 ssl http2;\nssl_certificate /etc/letsencrypt/live/planet.example/fullchain.pem;\n"
    key = "ssl_certificate_key /etc/letsencrypt/live/planet.example/privkey.pem;\n"
    inside = (DEPLOY / "nginx-subpath.conf").read_text("utf-8")
    other = 'location / { return 200 "the other site"; }\n'
    try:
        with front(tmp_path / "front", f"server {{\n{listens}{key}{other}{inside}}}\n", planet) as nginx:
            eventually(nginx.has("Question", "/planet/"))
            eventually(planet.has("Question", "planet/"))
            page = nginx.permalink("/planet/")
            status, headers, _ = nginx.ask(page)
            bare = nginx.ask(page.rstrip("/"))
            style = re.search(r'href="(/planet/static/[^"]+)"', nginx.ask("/planet/")[2].decode())
            nginx.ping("/planet/xmlrpc", web.html("/answer", "x"), planet.post_url, "127.0.0.3")

            assert page.startswith("/planet/posts/")
            assert status == 200
            assert headers.get_all("X-Pingback") == [f"https://localhost:{nginx.https}/planet/xmlrpc"]
            assert (bare[0], bare[1]["Location"]) == (301, page)
            assert style is not None
            assert nginx.ask(style[1])[0] == 200
            assert nginx.ask("/planet")[0] == 301
            assert nginx.ask("/planet/nothing/")[0] == 404
            assert nginx.ask("/planet/healthz")[0] == 404
            assert nginx.ask("/")[2] == b"the other site"
            assert clients(planet) == {"127.0.0.3"}
    finally:
        planet.end()


@needs_nginx
def test_nginx_as_a_cache_has_the_new_page_for_the_first_who_asks_after_a_publish(tmp_path: Path, web: Farm) -> None:
    planet = Running(tmp_path, web)
    lists = tmp_path / "data" / "purge"
    try:
        eventually(planet.has("Question"))
        site = (DEPLOY / "nginx-cache.conf").read_text("utf-8")
        with front(
            tmp_path / "front", site.replace("/var/cache/nginx/planet", str(tmp_path / "cache")), planet
        ) as nginx:
            refresh = ["/bin/sh", DEPLOY / "refresh-cache", lists, f"https://localhost:{nginx.https}", "127.0.0.1"]
            environment = {**os.environ, "CURL_CA_BUNDLE": str(tmp_path / "front" / "cert.pem")}
            subprocess.run(refresh, check=True, env=environment)
            eventually(nginx.has("Question", "/"))
            page = nginx.permalink("/").partition(str(planet.port))[2] or nginx.permalink("/")
            seen = [nginx.ask("/", **{"Accept-Encoding": coding})[1]["X-Cache"] for coding in ("identity", "gzip")]
            asked = nginx.ask(page)[0]
            strange = nginx.ask("/", came_from="127.0.0.2", X_Planet_Refresh="1")[1]["X-Cache"]

            web.routes["/feed"] = Reply(
                rss([(f"{web.url}/2", "The new post", "x"), (planet.post_url, "Question", "x")])
            )
            web.routes["/1"] = Reply(status=410)
            body = xmlrpc.client.dumps(("Blog", f"{web.url}/"), "weblogUpdates.ping").encode()
            assert nginx.ask("/xmlrpc", "POST", body)[0] == 200
            eventually(planet.has("The new post"))
            before, listed = nginx.ask("/")[2], set(lists.iterdir())
            subprocess.run(refresh, check=True, env=environment)
            after, headers = nginx.ask("/")[2], nginx.ask("/")[1]

            assert (seen[-1], asked, strange) == ("HIT", 200, "HIT")
            assert b"The new post" not in before
            assert b"The new post" in after
            assert headers["X-Cache"] == "HIT"
            assert headers["Cache-Control"] == "public, max-age=0, must-revalidate"
            assert listed
            assert not listed & set(lists.iterdir())

            call = ["purge", planet.post_url, "--config", str(planet.config)]
            subprocess.run([sys.executable, "-m", "aggregator", *call], check=True, capture_output=True)
            eventually(lambda: planet.get(page.lstrip("/")).status_code in (404, 410))
            subprocess.run(refresh, check=True, env=environment)
            assert nginx.ask(page)[0] in (404, 410)
    finally:
        planet.end()


@needs_nginx
@pytest.mark.parametrize("name", ["nginx.conf", "nginx-cache.conf", "nginx-subpath.conf"])
def test_no_log_of_nginx_names_an_address_that_is_a_secret(tmp_path: Path, web: Farm, name: str) -> None:
    planet = Running(tmp_path, web, "serve")
    root = "/planet/" if "subpath" in name else "/"
    site = (DEPLOY / name).read_text("utf-8").replace("/var/cache/nginx/planet", str(tmp_path / "cache"))
    if root != "/":
        keys = "".join(
            f"ssl_certificate{kind} /etc/letsencrypt/live/planet.example/{file}.pem;\n"
            for kind, file in (("", "fullchain"), ("_key", "privkey"))
        )
        site = f"server {{\nlisten 443 ssl http2;\n{keys}{site}}}\n"
    secrets = [
        f"{root}{path}" for path in ("held/SECRET/feed.atom", "newsletter/leave/SECRET", f"websub/{'SECRET' * 7}x")
    ]
    try:
        with front(tmp_path / "front", site, planet) as nginx:
            eventually(nginx.has("planet", f"{root}nothing/"))
            answered = [nginx.ask(path, method)[0] for path in secrets for method in ("GET", "POST")]
            planet.end()
            in_vain = [nginx.ask(path)[0] for path in (*secrets, f"{root}search?q=x")]

        logs = [(tmp_path / "front" / f"{kind}.log").read_text("utf-8") for kind in ("access", "error")]
        assert not {502, 504} & set(answered)
        assert set(in_vain) == {502}
        assert all("search?q=x" in log for log in logs)
        assert not [log for log in logs if "SECRET" in log]
    finally:
        if planet.process.poll() is None:
            planet.end()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not here")
def test_what_a_cache_could_not_fetch_anew_stays_listed(tmp_path: Path, web: Farm) -> None:
    port = web.url.rpartition(":")[2]
    refresh = ["/bin/sh", DEPLOY / "refresh-cache", tmp_path, f"http://planet.test:{port}", "127.0.0.1"]
    found, gone = tmp_path / "000000000001.txt", tmp_path / "000000000002.txt"
    found.write_text("https://planet.example/\nhttps://planet.example/feed.atom\n")
    gone.write_text("https://planet.example/posts/1-gone/\n")
    web.html("/", "x")
    web.routes["/feed.atom"] = Reply(status=503)

    in_vain = subprocess.run(refresh, check=False)
    left = (found.exists(), gone.exists())
    web.routes["/feed.atom"] = Reply(b"x")
    subprocess.run(refresh, check=True)

    assert in_vain.returncode != 0
    assert left == (True, False)
    assert not found.exists()


@pytest.mark.skipif(not shutil.which("caddy"), reason="Caddy is not here")
def test_caddyfile_is_valid() -> None:
    subprocess.run(["caddy", "validate", "--adapter", "caddyfile", "--config", DEPLOY / "Caddyfile"], check=True)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not here")
def test_alert_rules_are_valid() -> None:
    subprocess.run(["promtool", "check", "rules", DEPLOY / "alerts.yml"], check=True)


@pytest.mark.parametrize("name", ["nginx.conf", "nginx-subpath.conf", "Caddyfile"])
def test_servers_name_endpoints_on_the_pages_on_which_the_planet_does(name: str) -> None:
    text = (DEPLOY / name).read_text("utf-8")

    kinds = "|".join(prefix.rstrip("/") for prefix in _PINGABLE)

    assert f"({kinds})/" in text


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_servers_send_the_planets_own_policy(name: str) -> None:
    policy = dict(SAFETY)["content-security-policy"]

    assert policy in (DEPLOY / name).read_text("utf-8")


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_unit_file_is_valid_and_gives_away_little(tmp_path: Path, unit: Path) -> None:
    here = tmp_path / unit.name
    here.write_text(unit.read_text("utf-8").replace("/opt/planet/bin/planet", sys.executable))

    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", here], capture_output=True, text=True, check=False
    )
    judged = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=15", here],
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(UNITS) == 2
    assert (verified.returncode, verified.stderr) == (0, "")
    assert judged.returncode == 0, judged.stdout[-200:]


@pytest.mark.parametrize("name", ["alerts.yml", "grafana.json"])
def test_every_figure_that_is_watched_exists(name: str, world: Callable[..., World]) -> None:
    here = world("http://127.0.0.1:9/feed")
    with store.transaction(here.database):
        store.metrics.add(here.database, {("polls", "read"): 1, ("poll_answers", "200"): 1, ("entries", "new"): 1})
        store.metrics.add(here.database, {("verifications", "held"): 1, ("job_seconds", "poll"): 1})

    known = set(re.findall(r"^(planet_\w+)", health.metrics(here.planet.data, [], NOON).decode(), re.MULTILINE))

    watched = set(re.findall(r"planet_[a-z_]+", (DEPLOY / name).read_text("utf-8")))
    assert watched
    assert watched <= known


def test_dashboard_has_panels_that_do_not_overlap() -> None:
    panels = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))["panels"]

    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(panels) > 10
    assert len(cells) == len(set(cells))
    assert all(x < 24 for x, _ in cells)


def test_every_file_is_named_in_the_operators_documentation() -> None:
    text = (DEPLOY.parent / "docs" / "operators.md").read_text("utf-8")

    assert not [path.name for path in DEPLOY.iterdir() if f"`{path.name}`" not in text]
