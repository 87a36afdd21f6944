"""A planet with something of everything on its pages, for tests that look at them as a browser does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from html import escape
from pathlib import Path

from aggregator import clock
from tests.farm import Farm, Reply, eventually, farm
from tests.test_processes import Running

ANSWERS = 10
# One of each kind; each calls `alert`, and whoever runs it is caught. Others come from the corpus when it is there.
HOSTILE = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "<svg><script>alert(1)</script></svg>",
    '<a href="javascript:alert(1)">x</a>', '<a href="jav&#x09;ascript:alert(1)">x</a>', "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    '<iframe src="javascript:alert(1)"></iframe>', "<math><mtext></p><style><img src onerror=alert(1)></style></mtext></math>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>", "<form action=javascript:alert(1)><button>x</button></form>",
    "<details open ontoggle=alert(1)>x</details>", "<style>@import'javascript:alert(1)';*{background:red}</style>", "<base href=//evil.test/>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>", "<p style='position:fixed;inset:0'>x</p>", "<object data=javascript:alert(1)></object>",
    "<video><source onerror=alert(1)></video>", "<template><img src=x onerror=alert(1)></template>", "<!--><img src=x onerror=alert(1)>-->",
)  # fmt: skip
WIDE = (
    "<h1>A heading of its own</h1><table><tr>"
    + "".join(f"<td>column{n}column</td>" for n in range(40))
    + "</tr></table>"
    f"<pre><code>{'x' * 400}</code></pre><p>{'Donaudampfschifffahrt' * 20}</p><blockquote><p>quoted</p></blockquote>"
    "<ul><li>one</li></ul><p>Text with <code>code</code> and <mark>marks</mark>.</p>"
)
Post = tuple[str, str, str, float]  # path, title, HTML, hours ago


def rss(url: str, title: str, posts: list[Post]) -> bytes:
    def item(post: Post) -> str:
        path, name, html, hours = post
        at = format_datetime(clock.now() - timedelta(hours=hours))
        return (
            f"<item><title>{escape(name)}</title><link>{url}{path}</link><guid>{url}{path}</guid><pubDate>{at}</pubDate>"
            f"<category>FHIR</category><description>{escape(html)}</description></item>"
        )

    items = "".join(map(item, posts))
    head = f"<title>{escape(title)}</title><link>{url}/</link><language>en</language>"
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{items}</channel></rss>'.encode()


@contextmanager
def community(folder: Path, hostile: tuple[str, ...] = HOSTILE) -> Iterator[Running]:
    """Serve two blogs and a planet of them; when it is yielded, all of it is on the pages."""
    with farm() as web, farm("127.0.0.2") as other:
        answers: list[Post] = [
            (f"/a{n}", f"Answer {n}", f'<p>I read <a href="{web.url}/1">the question</a> {n} times.</p>', n / 10)
            for n in range(1, ANSWERS + 1)
        ]
        for path, title, html, _ in answers:
            other.html(path, f"<title>{title}</title>{html}")
        more = (
            '[page]\nfirst_import = 20\nper_feed_per_day = 4\nembeds = ["youtube.com"]\n[poll]\nevery = "1s"\nat_least = "1s"\n'
            '[[topics]]\nname = "Interoperability"\nmatch = ["question", "FHIR"]\n'
            f'[[feeds]]\nurl = "{other.url}/feed"\nname = "The Other Blog"\n'
        )
        other.routes["/feed"] = Reply(rss(other.url, "Other", answers))
        made = Running(folder, web, more=more)
        publish(made, hostile)
        try:
            eventually(made.has("</html>", "archive/"), 30)
            eventually(lambda: f"{ANSWERS} thoughts" in page_of(made, "Question"), 60)
            eventually(lambda: "Interoperability" in made.get("topics/interoperability/").text, 30)
            eventually(
                lambda: made.get("weekly/").status_code == 200 and "Answer 1" in made.get("search?q=read").text, 30
            )
            yield made
        finally:
            made.end()


def publish(here: Running, hostile: tuple[str, ...] = HOSTILE, *more: Post) -> None:
    """Put the posts of the first blog into its feed."""
    video = '<iframe src="https://www.youtube.com/embed/x"></iframe>'
    posts: list[Post] = [
        ("/1", "Question", f"<p>{'A question about interoperability. ' * 40}</p>{video}", 30),
        ("/2", "Wide & long", WIDE, 31),
        ("/3", "مرحبا بالعالم", "<p>مرحبا بالعالم، هذا نص بالعربية.</p>", 32),
        ("/4", "日本の医療情報について書いてみる長い題名", f"<p>{'電子カルテは難しい。' * 30}</p>", 33),
        ("/5", "<img src=x onerror=alert(1)> in a title", "\n".join(hostile), 34),
        *more,
    ]
    here.web.routes["/feed"] = Reply(rss(here.web.url, "A <b>blog</b>", posts))


def path_of(here: Running, title: str) -> str:
    """The path of a post on the planet, by its title; "" as long as there is none."""
    found = re.search(rf'href="/(posts/[^"#]+)">{re.escape(escape(title))}<', here.get("archive/").text)
    for month in [found] if found else re.findall(r'href="/(archive/\d+/\d+/)"', here.get("archive/").text):
        match = re.search(
            rf'href="/(posts/[^"#]+)"[^>]*>{re.escape(escape(title, quote=False))}<', here.get(month).text
        )
        if match:
            return match[1]
    return ""


def page_of(here: Running, title: str) -> str:
    path = path_of(here, title)
    return here.get(path).text if path else ""


def every_kind_of_page(here: Running) -> dict[str, str]:
    """A name and a path for each kind of page."""
    blogs = re.findall(r'href="/(blogs/[^"/]+/)"', here.get("blogs/").text)
    weeks = re.findall(r'href="/(weekly/[^"/]+/)"', here.get("weekly/").text)
    months = re.findall(r'href="/(archive/\d+/\d+/)"', here.get("archive/").text)
    talks = re.findall(r'href="/(conversations/\d+/)"', page_of(here, "Question"))
    return {
        "river": "", "page": "page/1/", "post": path_of(here, "Question"), "wide": path_of(here, "Wide & long"),
        "hostile": path_of(here, "<img src=x onerror=alert(1)> in a title"), "blogs": "blogs/", "blog": blogs[0],
        "topics": "topics/", "topic": "topics/interoperability/", "weeks": "weekly/", "week": weeks[0],
        "archive": "archive/", "month": months[0], "search": "search?q=question", "status": "status/",
        "about": "about/", "conversation": talks[0], "missing": "no/such/page", "webmention": "webmention",
        "test ping": "test-ping", "conversations": "conversations/",
    }  # fmt: skip


__all__ = ["ANSWERS", "HOSTILE", "Farm", "community", "every_kind_of_page", "page_of", "path_of", "publish"]
