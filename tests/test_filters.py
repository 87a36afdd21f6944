from __future__ import annotations

import pytest

from aggregator.filters import Filter, FilterBroken, is_by_filter, unwanted


def found(written: str, title: str = "", text: str = "", categories: tuple[str, ...] = ()) -> bool:
    return Filter.of(written).matches(title, text, categories)


def test_a_word_is_found_as_a_whole_word_in_any_case() -> None:
    assert found("fhir", "What FHIR is")
    assert found("HL7 v2", text="about hl7 V2, again")
    assert found("C++", "C++ and you")
    assert not found("art", "smart start")


def test_a_pattern_is_searched_anywhere() -> None:
    assert found("/inter-?op/", "Interoperability")
    assert found("/^health/", categories=("Healthcare",))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("title: FHIR", [True, False, False]),
        ("content:FHIR", [False, True, False]),
        ("Category: FHIR", [False, False, True]),
    ],
)
def test_a_filter_may_look_in_one_place(written: str, expected: list[bool]) -> None:
    assert [found(written, "FHIR"), found(written, "", "FHIR"), found(written, "", "", ("FHIR",))] == expected


def test_a_colon_in_a_word_names_no_place() -> None:
    assert found("HIMSS: day one", "HIMSS: day one of four")


@pytest.mark.parametrize("written", ["", "   ", "title:", "/(/", "/[a/"])
def test_a_filter_that_cannot_be_read_says_so(written: str) -> None:
    with pytest.raises(FilterBroken):
        Filter.of(written)


def test_an_entry_must_be_included_and_not_excluded() -> None:
    include, exclude = [Filter.of("FHIR"), Filter.of("HL7")], [Filter.of("sponsored")]

    assert unwanted(include, exclude, "FHIR today", "", ()) == ""
    assert "not included" in unwanted(include, exclude, "Gardening", "", ())
    assert "'sponsored'" in unwanted(include, exclude, "FHIR today", "sponsored by", ())
    assert unwanted([], [], "Gardening", "", ()) == ""
    assert is_by_filter(unwanted(include, exclude, "Gardening", "", ()))


def test_a_pattern_that_takes_too_long_finds_nothing() -> None:
    evil = Filter.of("/(a|a)*(b|c)*$x/")

    assert unwanted([], [evil], "a" * 5_000 + "!", "", ()) == ""
