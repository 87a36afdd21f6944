from __future__ import annotations

import gzip

import pytest

from aggregator.evidence import examine, links
from aggregator.model import Evidence

T = "https://planet.example/posts/1-x/"
URL = "https://source.example/answer/"


def look(html: str, content_type: str = "text/html", *, targets: tuple[str, ...] = (T,)) -> Evidence | None:
    return examine(html.encode(), "", content_type, URL, targets, 1_000_000)


@pytest.mark.parametrize(
    "markup",
    [
        f'<a href="{T}">x</a>',
        f"<A HREF={T}>x</A>",
        f'<a href=" \n{T} ">x</a>',
        '<a href="https:&#x2f;&#47;planet.example/posts/1-x/">x</a>',
        '<a href="http://planet.example/posts/1-x">x</a>',
        f'<a href="{T}#thoughts">x</a>',
        f'<a href="{T}"><img src="i.png"></a>',
        f'<p style="display:none"><a href="{T}">x</a></p>',
        '<base href="https://planet.example/"><a href="/posts/1-x/">x</a>',
        f'<a href="{T}" href="https://evil.example/">x</a>',
        f'<article><a href="{T}">x</a></article>',
        f'<main><nav><a href="{T}">x</a></nav></main>',
    ],
)
def test_a_real_link_is_found(markup: str) -> None:
    assert look(f"<html><title>S</title><body>{markup}</body></html>") is not None
    assert look(f"<title>S</title>{markup}") is not None


@pytest.mark.parametrize(
    "markup",
    [
        f'<!-- <a href="{T}">x</a> -->',
        f'<!--[if IE]><a href="{T}">x</a><![endif]-->',
        f"<script>\"<a href='{T}'>x</a>\"</script>",
        f'<script><!--<script></script><a href="{T}">x</a></script>',
        f'<style><a href="{T}">x</a></style>',
        f'<noscript><a href="{T}">x</a></noscript>',
        f'<template><a href="{T}">x</a></template>',
        f'<textarea><a href="{T}">x</a></textarea>',
        f'<title><a href="{T}">x</a></title>',
        f'<iframe><a href="{T}">x</a></iframe>',
        f'<xmp><a href="{T}">x</a></xmp>',
        f'<select><option><a href="{T}">x</a></option></select>',
        f'<p hidden>see <a href="{T}">x</a></p>',
        f'<a hidden href="{T}">x</a>',
        f'<a href="https://evil.example/" href="{T}">x</a>',
        f'<a href="{T}evil/other">x</a>',
        f'<a href="https://evil.example/?u={T}">x</a>',
        f'<a href="https://evil.example/" data-x="{T}">x</a>',
        f"<p>{T}</p>",
        '<a href="/posts/1-x/">x</a>',
        f'<a name="{T}">x</a>',
    ],
)
def test_what_only_looks_like_a_link_is_none(markup: str) -> None:
    assert look(f"<html><body>{markup}</body></html>") is None


def test_a_page_that_is_no_text_shows_nothing() -> None:
    assert look(f'<a href="{T}">x</a>', "application/pdf") is None
    assert look(f'<a href="{T}">x</a>', "application/xhtml+xml; charset=utf-8") is not None


def test_the_title_and_the_words_around_the_link_are_taken() -> None:
    evidence = look(
        "<html><head><title> The point &amp; \n blogging</title></head><body><nav>Menu</nav>"
        f'<p>What they <b>never</b> saw is that <a href="{T}">the feed <i>is</i> open</a>, and more.</p><p>Else</p></body>'
    )

    assert evidence is not None
    assert evidence.title == "The point & blogging"
    assert evidence.excerpt == ("What they never saw is that ", "the feed is open", ", and more.")


def test_a_long_paragraph_is_cut_at_words_around_the_link() -> None:
    evidence = look(f'<p>{"before " * 200}<a href="{T}">here</a>{" after" * 200}</p>')

    assert evidence is not None
    before, linked, after = evidence.excerpt
    assert before.startswith("[…] before ")
    assert before.endswith("before ")
    assert linked == "here"
    assert after.startswith(" after")
    assert after.endswith(" after […]")
    assert len(before + after) < 300


@pytest.mark.parametrize(
    ("markup", "excerpt"),
    [
        (f'<h1><a href="{T}">one</a></h1><p>first', ("", "one", " first")),
        (f'<div><a href="{T}">x</a><p class="e-content">good read</p></div>', ("", "x", " good read")),
        (f'<div>in <ul><li>a</li><li>b</li></ul><h2><a href="{T}">x</a></h2>c<br>d</div>', ("in a b ", "x", " c d")),
        (f'<p>un<b>split</b> <a href="{T}">x</a>, y<i>z</i></p>', ("unsplit ", "x", ", yz")),
    ],
)
def test_an_excerpt_keeps_blocks_of_text_apart(markup: str, excerpt: tuple[str, str, str]) -> None:
    evidence = look(f"<html><body>{markup}</body></html>")

    assert evidence is not None
    assert evidence.excerpt == excerpt


def test_a_page_without_a_title_is_named_by_its_heading_or_its_address() -> None:
    heading, nothing = look(f'<h1>Head</h1><a href="{T}">x</a>'), look(f'<a href="{T}">x</a>')

    assert heading is not None
    assert heading.title == "Head"
    assert nothing is not None
    assert nothing.title == URL


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("naïve".encode("windows-1252"), "text/html; charset=windows-1252"),
        (b'<meta charset="windows-1252">' + "naïve".encode("windows-1252"), "text/html"),
        ("naïve".encode("windows-1252"), "text/html"),
        ("naïve".encode(), "text/html; charset=nonsense"),
        (b'<meta charset="utf-16">' + "naïve".encode(), "text/html; charset=utf-8"),
    ],
)
def test_the_page_is_decoded_as_declared_or_as_it_can_be(body: bytes, content_type: str) -> None:
    page = b"<title>" + body + f'</title><a href="{T}">x</a>'.encode()

    evidence = examine(page, "", content_type, URL, (T,), 1_000_000)

    assert evidence is not None
    assert evidence.title.endswith("naïve")


def test_gzip_is_undone() -> None:
    page = gzip.compress(f'<a href="{T}">x</a>'.encode())

    assert examine(page, "gzip", "", URL, (T,), 1_000_000) is not None


def test_an_excerpt_is_text_without_tricks() -> None:
    evidence = look(f'<title>&lt;script>alert(1)</title><p>\u202eevil\x1b <a href="{T}">&lt;img onerror></a></p>')

    assert evidence is not None
    assert evidence.title == "<script>alert(1)"
    assert evidence.excerpt == ("evil ", "<img onerror>", "")


# -- what a page calls its link ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markup", "kind"),
    [
        (f'<div class="h-entry"><a class="u-in-reply-to" href="{T}">x</a></div>', "reply"),
        (f'<div class="h-entry"><a class="u-like-of" href="{T}">x</a></div>', "like"),
        ('<div class="h-entry"><a class="u-repost-of" href="http://planet.example/posts/1-x">x</a></div>', "repost"),
        (f'<div class="h-feed"><div class="h-entry"><p class="u-bookmark-of h-cite"><a class="u-url" href="{T}">x</a></p></div></div>', "bookmark"),
        (f'<div class="h-entry"><a class="u-in-reply-to" href="https://other.example/">o</a> <a href="{T}">x</a></div>', ""),
        (f'<div class="h-entry"><a href="{T}">x</a></div>', ""),
        (f'<p><a class="u-like-of" href="{T}">x</a></p>', ""),
    ],
)  # fmt: skip
def test_a_page_says_what_its_link_is(markup: str, kind: str) -> None:
    evidence = look(f"<title>S</title>{markup}")

    assert evidence is not None
    assert evidence.kind == kind


@pytest.mark.parametrize(
    ("markup", "kind"),
    [
        (f'<div class="h-entry"><data class="u-like-of" value="{T}"></data>x</div>', "like"),
        (f'<article class="h-entry"><link class="u-bookmark-of" href="{T}">x</article>', "bookmark"),
        (f'<p><img src="{T}" alt="x"></p>', ""),
        ('<base href="https://planet.example/"><img src="/posts/1-x/">', ""),
        (f'<video src="{T}"></video>', ""),
        (f'<audio src="{T}"></audio>', ""),
        (f'<video><source src="{T}"></video>', ""),
    ],
)
def test_what_a_page_embeds_or_an_entry_names_is_a_link(markup: str, kind: str) -> None:
    evidence = look(f"<title>S</title><body>{markup}")

    assert evidence is not None
    assert evidence.kind == kind


@pytest.mark.parametrize(
    "markup",
    [
        f'<data class="u-like-of" value="{T}"></data>',
        f'<div class="h-entry"><data value="{T}"></data></div>',
        f'<link rel="alternate" href="{T}">',
        f'<noscript><img src="{T}"></noscript>',
        f'<img hidden src="{T}">',
        f'<img src="x.png" alt="{T}">',
        f'<input value="{T}">',
    ],
)
def test_what_no_entry_names_and_nobody_sees_is_no_link(markup: str) -> None:
    assert look(f"<title>S</title><body>{markup}") is None


def test_a_reply_is_shown_in_its_own_words() -> None:
    reply = f'<p>In reply to <a class="u-in-reply-to" href="{T}">a post</a></p><div class="e-content">I <b>agree</b>.<p>So</div>'
    evidence = look(f'<title>ann.example</title><div class="h-entry">{reply}</div>')
    long = look(
        f'<div class="h-entry"><a class="u-in-reply-to" href="{T}">x</a><p class="e-content">{"word " * 300}</p></div>'
    )

    assert evidence is not None
    assert (evidence.title, evidence.kind) == ("ann.example", "reply")
    assert evidence.excerpt == ("I agree. So", "", "")
    assert long is not None
    assert len(long.excerpt[0]) <= 281


def test_a_reply_that_links_in_its_text_is_shown_around_the_link() -> None:
    text = f'<p class="e-content">What <a class="u-in-reply-to" href="{T}">they</a> say</p>'
    evidence = look(f'<div class="h-entry">{text}</div>')

    assert evidence is not None
    assert evidence.excerpt == ("What ", "they", " say")


@pytest.mark.parametrize(
    ("entry", "title"),
    [
        ('<h1 class="p-name">My answer</h1><p class="e-content">Words</p>', "My answer"),
        ('<p class="p-name e-content">Just words</p>', "The Blog"),
        ('<p class="e-content">Words</p>', "The Blog"),
        ('<p class="p-author h-card"><span class="p-name">Ann</span></p>', "The Blog"),
    ],
)
def test_an_entry_is_called_by_its_own_name(entry: str, title: str) -> None:
    evidence = look(f'<title>The Blog</title><div class="h-entry"><a class="u-like-of" href="{T}">x</a>{entry}</div>')

    assert evidence is not None
    assert evidence.title == title


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ('<a class="p-author h-card" href="https://ann.example/">Ann <b>B.</b></a>', "Ann B."),
        ('<p class="p-author">Ann</p>', "Ann"),
        ('<p class="p-author h-card"><img class="u-photo" alt="" src="http://169.254.169.254/"><span class="p-name">Ann</span></p>', "Ann"),
        ('<a class="u-author" href="http://169.254.169.254/author"></a>', ""),
        ('<p class="p-author h-card"><span class="p-name">&lt;script&gt;alert(1)&lt;/script&gt;\u202e</span></p>', "<script>alert(1)</script>"),
        ("", "Meta Author"),
    ],
)  # fmt: skip
def test_a3_the_author_is_a_name_and_nothing_is_fetched_for_it(author: str, name: str) -> None:
    page = f'<meta name="author" content="Meta Author"><div class="h-entry">{author}<a href="{T}">x</a></div>'
    evidence = look(page)

    assert evidence is not None
    assert evidence.author == (name or "Meta Author")


def test_a_page_in_microformats_of_any_depth_is_read_or_given_up() -> None:
    assert look(f'<div class="h-entry">{"<div class=h-entry>" * 200}<a href="{T}">x</a>') is not None


@pytest.mark.parametrize(
    ("body", "kind", "is_found"),
    [
        (f"see {T} there", "text/plain", True),
        (f"see {T}evil there", "text/plain", False),
        ('{"a": [{"b": "' + T + '"}]}', "application/json", True),
        ('{"a": "see ' + T + '"}', "application/json", False),
        ("[" * 100_000, "application/json", False),
        ("{", "application/activity+json", False),
        (f'<a href="{T}">x</a>', "image/png", False),
    ],
)
def test_text_and_json_must_hold_the_address_itself(body: str, kind: str, is_found: bool) -> None:
    assert (look(body, kind) is not None) is is_found


def test_a_page_that_says_in_its_head_that_it_is_gone_links_nowhere() -> None:
    gone = '<meta http-equiv="status" content="410 Gone">'

    assert look(f'<head>{gone}</head><a href="{T}">x</a>') is None


def test_links_of_a_post_are_told_once_each_with_their_words() -> None:
    found = links(
        '<p>see <a href="/a">this</a></p><p><a href="http://b.test/#1">b</a><a href="http://b.test/#2">b</a></p>', URL
    )

    assert found == [
        ("https://source.example/a", ("see ", "this", "")),
        ("http://b.test/#1", ("", "b", "b")),
    ]
