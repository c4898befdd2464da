"""Messages: texts like any other, that others can say in another language."""

import copy
import json
import pickle

import pytest

from anime_model.pictures.message import (
    Message,
    about,
    from_record,
    hinted,
    listed,
    message_of,
    to_record,
    with_values,
)  # fmt: skip

LOST = Message("{count} frames of {name!r} are lost", count=3, name="a")
NESTED = about("film.mp4", listed([hinted(LOST, "--keep"), "stopped"]))
TEXT = "film.mp4: 3 frames of 'a' are lost (--keep); stopped"


def test_a_message_is_its_text():
    assert NESTED == TEXT
    assert f"{NESTED}" == TEXT
    assert json.dumps(NESTED) == json.dumps(TEXT)


@pytest.mark.parametrize(
    "taken",
    [
        copy.copy,
        copy.deepcopy,
        lambda text: pickle.loads(pickle.dumps(text)),
        lambda text: from_record(to_record(text)),
    ],
)
def test_it_keeps_its_template_wherever_it_goes(taken):
    found = taken(NESTED)
    assert found == TEXT
    assert found.values["what"].values["first"].values["what"].template == LOST.template


def test_values_with_braces_are_no_gaps():
    odd = about("{subject}.png", "{what}")
    assert odd == "{subject}.png: {what}"
    assert pickle.loads(pickle.dumps(odd)) == odd


def test_an_exception_gives_what_it_was_raised_with():
    assert message_of(ValueError(NESTED)) is NESTED
    assert message_of(ValueError("plain")) == "plain"
    assert message_of(KeyError()) == ""
    assert str(ValueError(NESTED)) == TEXT


def test_every_value_is_changed_and_the_template_is_not():
    changed = with_values(NESTED, str.upper)
    assert changed == "FILM.MP4: 3 frames of 'A' are lost (--KEEP); STOPPED"
    assert with_values("plain", str.upper) == "PLAIN"
    assert NESTED == TEXT


@pytest.mark.parametrize(
    "record", [None, 3, [], {}, {"template": "{a}"}, {"template": "{a}", "values": {}}, {"template": "{", "values": {}}]
)
def test_what_is_no_record_is_refused(record):
    with pytest.raises(ValueError, match=r"no message|expected|Single"):
        from_record(record)
