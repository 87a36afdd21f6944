from __future__ import annotations

import pytest

from aggregator.filters import Filter, FilterBroken, Filters, Sieve, is_by_filter


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


@pytest.mark.parametrize("written", ["", "   ", "title:", "//", "/(/", "/[a/"])
def test_a_filter_that_cannot_be_read_says_so(written: str) -> None:
    with pytest.raises(FilterBroken):
        Filter.of(written)


def test_an_entry_must_be_included_and_not_excluded() -> None:
    sieve = Sieve(Filters(("FHIR", "HL7"), ("sponsored",)))

    assert sieve.verdict("FHIR today", "", ()) == ""
    assert "not included" in sieve.verdict("Gardening", "", ())
    assert "'sponsored'" in sieve.verdict("FHIR today", "sponsored by", ())
    assert Sieve(Filters()).verdict("Gardening", "", ()) == ""
    assert is_by_filter(sieve.verdict("Gardening", "", ()))


def test_a_pattern_that_takes_too_long_is_given_up_and_named() -> None:
    sieve = Sieve(Filters((), ("/(a|aa)+$/", "sponsored")))

    assert [sieve.verdict("a" * 60 + "!", "", ()) for _ in range(1_000)] == [""] * 1_000
    assert "'/(a|aa)+$/' takes too long" in sieve.remark
    assert "sponsored" in sieve.verdict("sponsored", "", ())


def test_spaces_in_a_filter_are_any_spaces() -> None:
    assert found("FHIR  server", "a fhir server")
