from __future__ import annotations

import pytest

from aggregator.feeds.encoding import text_of

TEXTS = {
    "en": "<rss><title>Don’t panic – it’s only HL7</title></rss>",
    "fr": "<rss><title>Actualités de la santé numérique, où va la télémédecine ?</title></rss>",
    "ru": "<rss><title>Новости здравоохранения и информационных технологий</title></rss>",
    "el": "<rss><title>Ειδήσεις για την υγεία και την τεχνολογία</title></rss>",
    "ja": "<rss><title>医療情報技術のニュース、電子カルテについて</title></rss>",
    "zh": "<rss><title>医疗信息技术新闻，电子病历的讨论</title></rss>",
    "tw": "<rss><title>醫療資訊科技新聞，電子病歷的討論</title></rss>",
    "ko": "<rss><title>의료 정보 기술 뉴스 전자 의무 기록</title></rss>",
    "pl": "<rss><title>Wiadomości o zdrowiu, źródła i świadomość</title></rss>",
}
CODECS = [
    ("en", "cp1252"), ("fr", "cp1252"), ("fr", "iso8859-15"), ("ru", "cp1251"), ("ru", "koi8-r"), ("ru", "iso8859-5"),
    ("el", "cp1253"), ("el", "iso8859-7"), ("ja", "shift_jis"), ("ja", "euc_jp"), ("ja", "iso2022_jp"),
    ("zh", "gb18030"), ("zh", "gb2312"), ("tw", "big5"), ("ko", "euc_kr"), ("pl", "cp1250"), ("pl", "iso8859-2"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "codec"), CODECS)
def test_an_encoding_is_taken_from_the_documents_first_line(text: str, codec: str) -> None:
    body = f'<?xml version="1.0" encoding="{codec}"?>'.encode() + TEXTS[text].encode(codec)

    assert text_of(body, "text/xml") == TEXTS[text]
    assert text_of(body, "application/xml; charset=ISO-8859-1") == TEXTS[text]  # a server's default


@pytest.mark.parametrize(("text", "codec"), CODECS)
def test_an_encoding_is_taken_from_the_server(text: str, codec: str) -> None:
    assert text_of(TEXTS[text].encode(codec), f'text/xml; charset="{codec}"') == TEXTS[text]


@pytest.mark.parametrize(
    ("text", "codec"), [pair for pair in CODECS if pair[1] not in ("iso8859-15",) and pair[0] != "pl"]
)
def test_an_encoding_that_nobody_names_is_told_by_its_looks(text: str, codec: str) -> None:
    assert text_of(TEXTS[text].encode(codec), "") == TEXTS[text]
    declared_wrongly = b'<?xml version="1.0" encoding="utf-8"?>' + TEXTS[text].encode(codec)
    assert text_of(declared_wrongly, "text/xml; charset=utf-8") == TEXTS[text]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("claim", ["iso-8859-1", "windows-1251", "shift_jis", "utf-16", "x-nonsense", "utf-7"])
def test_valid_utf8_is_utf8_whatever_is_claimed(text: str, claim: str) -> None:
    body = f'<?xml version="1.0" encoding="{claim}"?>{TEXTS[text]}'.encode()

    assert text_of(body, f"text/xml; charset={claim}") == TEXTS[text]


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_a_mark_or_the_look_of_wide_characters_is_believed_first(codec: str) -> None:
    body = f'<?xml version="1.0" encoding="iso-8859-1"?>{TEXTS["ru"]}'.encode(codec)

    assert text_of(body, "text/xml; charset=iso-8859-1") == TEXTS["ru"]


def test_single_bytes_of_another_encoding_inside_utf8_are_repaired() -> None:
    body = "<a>“naïve” – über – façade</a>".encode() + b"<b>don\x92t</b>"

    assert text_of(body, "") == "<a>“naïve” – über – façade</a><b>don’t</b>"


def test_utf7_is_never_read() -> None:
    assert "<script>" not in text_of(b"<a>+ADw-script+AD4-\xff</a>", "text/xml; charset=utf-7")


def test_a_latin_page_with_one_odd_byte_is_not_taken_for_another_alphabet() -> None:
    body = b"<rss><title>Microsoft\xae Office</title>" + b"<x>plain words</x>" * 50

    assert "Microsoft® Office" in text_of(body, "")


def test_bytes_that_mean_nothing_become_replacement_characters() -> None:
    assert text_of(b"<a>\x81</a>", "text/xml; charset=windows-1252") == "<a>�</a>"
