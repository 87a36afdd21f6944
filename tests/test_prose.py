from __future__ import annotations

import pytest

from aggregator.markup import clean
from aggregator.site.prose import Manner, for_feeds, shown

BASE = "https://blog.test/post/"
VIDEO = '<iframe width="560" src="https://www.youtube.com/embed/x?a=1&amp;b=2" allowfullscreen></iframe>'


def test_headings_of_a_post_stand_below_its_title() -> None:
    assert shown("<h1>A</h1><h3>B</h3>", Manner()) == "<h2>A</h2><h4>B</h4>"
    assert shown("<h3>A</h3>", Manner()) == "<h3>A</h3>"
    assert shown("<h1>A</h1><h6>B</h6>", Manner()) == "<h2>A</h2><h6>B</h6>"


def test_pictures_of_one_pixel_are_dropped_everywhere() -> None:
    html = clean('<p>x<img src="/t.gif" width="1" height="1"><img src="/u.gif" width=0></p>', BASE)

    assert shown(html, Manner()) == for_feeds(html) == "<p>x</p>"


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ("none", "<p></p>"),
        ("link", '<p><a href="https://blog.test/a.png" rel="nofollow noopener">A &amp; b</a></p>'),
    ],
)
def test_pictures_are_shown_linked_or_left_out(images: str, expected: str) -> None:
    html = clean('<p><img src="/a.png" alt="A &amp; b"></p>', BASE)

    assert "<img" in shown(html, Manner())
    assert shown(html, Manner(images)) == expected  # type: ignore[arg-type]


def test_a_linked_picture_leaves_its_words_in_the_link() -> None:
    html = clean('<a href="/big"><img src="/a.png" alt="A map"></a>', BASE)

    assert shown(html, Manner("link")) == '<a href="https://blog.test/big" rel="noopener nofollow">A map</a>'


def test_an_embed_of_an_allowed_host_is_a_link_and_others_are_nothing() -> None:
    html = clean(f"<p>a</p>{VIDEO}<p>b</p>", BASE)

    assert "iframe" not in html
    assert shown(html, Manner()) == "<p>a</p><p>b</p>"
    opened = shown(html, Manner(embeds=("youtube.com",)))
    assert 'class="embed" href="https://www.youtube.com/embed/x?a=1&amp;b=2"' in opened
    assert "▶ youtube.com" in opened


def test_a_feed_has_a_plain_link_in_place_of_an_embed() -> None:
    assert ">youtube.com</a>" in for_feeds(clean(VIDEO, BASE))
    assert "data-embed" not in for_feeds(clean(VIDEO, BASE))


def test_an_embed_is_called_by_its_title() -> None:
    html = clean('<iframe title="Tom &amp; me" src="https://youtube.com/embed/x"></iframe>', BASE)

    assert "▶ youtube.com: Tom &amp; me</a>" in shown(html, Manner(embeds=("youtube.com",)))


@pytest.mark.parametrize(
    "film",
    ['<video src="/a.mp4" controls>old</video>', '<audio controls><source src="/a.mp4" type="audio/mp4"></audio>'],
)
def test_a_film_is_a_link_that_opens_it(film: str) -> None:
    assert 'class="embed" href="https://blog.test/a.mp4"' in shown(clean(film, BASE), Manner())
    assert 'href="https://blog.test/a.mp4"' in for_feeds(clean(film, BASE))


def test_a_picture_that_a_script_was_to_load_is_shown() -> None:
    lazy = '<img src="data:image/gif;base64,x" data-src="/real.jpg" alt="A"><noscript><img src="/real.jpg"></noscript>'

    html = shown(clean(lazy, BASE), Manner())

    assert html.count("<img") == 1
    assert 'src="https://blog.test/real.jpg"' in html


def test_a_picture_that_is_a_point_by_its_style_is_dropped() -> None:
    assert shown(clean('<p><img src="/t.gif" style="width: 1px;height:1px"></p>', BASE), Manner()) == "<p></p>"


def test_a_picture_without_words_says_that_it_has_none() -> None:
    assert 'alt=""' in shown(clean('<p><img src="/a.png"></p>', BASE), Manner())
    assert 'alt="Picture"' in shown(clean('<a href="/x"><img src="/a.png"></a>', BASE), Manner())


def test_feeds_hold_nothing_that_only_browsers_understand() -> None:
    html = for_feeds(clean('<p><img src="/a.png" alt="A"></p>', BASE))

    assert html == '<p><img src="https://blog.test/a.png" alt="A"></p>'


@pytest.mark.parametrize(
    "evil",
    [
        '<iframe src="javascript:alert(1)"></iframe>',
        "<iframe src='\"><script>alert(1)</script>'></iframe>",
        """<iframe src="https://youtube.com/x" title='"><script>alert(1)</script>'></iframe>""",
        """<video src='"><script>alert(1)</script>'></video>""",
        """<img src=x data-src='"><script>alert(1)</script>' alt='"><script>alert(1)</script>'>""",
        '<iframe src="https://youtube.com/&quot;><script>alert(1)</script>"></iframe>',
        '<a data-embed="x" href="javascript:alert(1)">y</a>',
        '<a data-embed=\'"><script>alert(1)</script>\' href="https://youtube.com/">y</a>',
    ],
)
def test_nothing_of_a_frame_acts(evil: str) -> None:
    for html in (shown(clean(evil, BASE), Manner(embeds=("youtube.com",))), for_feeds(clean(evil, BASE))):
        assert "<script" not in html
        assert "javascript:" not in html


@pytest.mark.parametrize(
    "unit",
    [
        "<iframe ",
        "<iframe src=x>",
        "<iframe src='",
        "<img ",
        "<img src=x>",
        "<video>",
        "<video src=x>",
        "<h1",
        "<a data-embed",
    ],
)
def test_a_wall_of_tags_is_read_in_a_moment(unit: str) -> None:
    html = clean(unit * (300_000 // len(unit)), BASE) if len(unit) > 4 else unit * 50_000

    assert isinstance(shown(html, Manner("link")), str)
