"""The libraries as a whole, and the reading of their files."""

from __future__ import annotations

import dataclasses

import pytest

from quantflux.core.errors import InvalidRequest, NotFound
from quantflux.expressions import parse, to_text
from quantflux.expressions.nodes import fields_of
from quantflux.factors.fields import catalogue
from quantflux.factors.libraries import Library, library_names, load_library
from quantflux.factors.libraries.loading import read_library

SIZES = {"alpha101": 101, "alpha158": 158, "classic": 10, "style": 10, "ta": 44, "v1": 18}

HEAD = 'title = "T"\nsource = "S"\n'
FACTOR = '[[factor]]\nid = "a"\nexpression = "close"\ndescription = "d"\n'


@pytest.fixture(params=SIZES)
def library(request: pytest.FixtureRequest) -> Library:
    return load_library(request.param)


def test_there_are_these_libraries():
    assert {name: len(load_library(name)) for name in library_names()} == SIZES


def test_no_two_factors_have_one_name_in_any_library():
    names = [factor.id for name in library_names() for factor in load_library(name)]

    assert len(set(names)) == len(names)


def test_every_definition_stands_by_itself_and_reads_known_fields(library):
    for factor in library:
        assert factor.node is parse(factor.expression)
        assert factor.node is parse(to_text(factor.node))
        assert set(fields_of(factor.node)) <= set(catalogue()), factor.id


def test_every_definition_says_what_it_is(library):
    assert library.title and library.source and library.rules
    for factor in library:
        assert factor.description and factor.source and factor.library == library.name
        assert "{" not in factor.id + factor.expression + factor.description


def test_a_library_gives_its_factors_by_name():
    library = load_library("classic")

    assert library["size"].expression == "mask(-log(total_mv), close)"
    with pytest.raises(NotFound, match="library classic has no factor 'reversal'; it has reversal_20"):
        library["reversal"]


def test_definitions_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_library("classic")["size"].expression = "close"  # type: ignore[misc]


def test_an_unknown_library_lists_the_known_ones():
    with pytest.raises(
        NotFound, match="no factor library is called 'alpha'; there are: alpha101, alpha158, classic"
    ):
        load_library("alpha")


def test_windows_and_names_are_put_in_place():
    text = f"""{HEAD}orientation = -1
windows = [2, 3]
[names]
returns = "(close / delay(close, 1) - 1)"
risk = "ts_std(returns, {{d}})"
[[factor]]
id = "risk_{{d}}"
expression = "risk / ts_mean(risky, {{d}})"
description = "Over {{d}} days"
[[factor]]
id = "plain"
expression = "-returns"
description = "Alone"
source = "Elsewhere"
orientation = 1
version = 2
"""

    two, three, plain = read_library("trial", text)

    assert two.id == "risk_2"
    assert two.expression == "ts_std((close / delay(close, 1) - 1), 2) / ts_mean(risky, 2)"
    assert (two.source, two.orientation, two.version) == ("S", -1, 1)
    assert three.description == "Over 3 days"
    assert plain.expression == "-(close / delay(close, 1) - 1)"
    assert (plain.source, plain.orientation, plain.version) == ("Elsewhere", 1, 2)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("title = ", "library trial is not TOML"),
        (f'title = "T"\n{FACTOR}', "library trial lacks source"),
        (HEAD, "library trial lacks factor"),
        (f"{HEAD}window = [5]\n{FACTOR}", "library trial has unknown window; known: factor, names"),
        (f'{HEAD}[[factor]]\nid = "a"\nexpression = "close"\n', "library trial: a lacks description"),
        (f"{HEAD}{FACTOR}owner = 1\n", "library trial: a has unknown owner"),
        (f"{HEAD}{FACTOR}{FACTOR}", "library trial has more than one factor called a"),
        (f"{HEAD}{FACTOR}orientation = 2\n", "orientation is 1"),
    ],
)
def test_a_broken_file_is_refused_with_its_fault(text, problem):
    with pytest.raises(InvalidRequest, match=problem):
        read_library("trial", text)
