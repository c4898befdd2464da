"""Sentences for people that others can say in another language: the English template travels with its values.

`raise PictureError(Message("{count} frames are lost", count=3))` says what any exception says. Who speaks another
language takes `message_of(error)`, looks the template up in a catalogue, and puts the values in.
"""

from collections.abc import Callable

ABOUT = "{subject}: {what}"  # the name of what a sentence is about comes first
HINTED = "{what} ({hint})"  # a hint is for who works in a terminal
LISTED = "{first}; {rest}"
Record = str | dict


class Message(str):
    """A text like any other, and what it was made of: `template` as for `str.format`, and its `values`."""

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, /, **values: object) -> "Message":
        made = super().__new__(cls, template.format(**values))
        made.template, made.values = template, values
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, object]]:  # for copies, and for other processes
        return (self.template,), self.values


def about(subject: object, what: str) -> Message:
    """`what` is a text; of an exception take `message_of`."""
    return Message(ABOUT, subject=subject if isinstance(subject, str) else str(subject), what=what)


def hinted(what: str, hint: str) -> Message:
    return Message(HINTED, what=what, hint=hint)


def listed(texts: list[str]) -> str:
    """One or more texts, one after the other."""
    first, *rest = texts
    return Message(LISTED, first=first, rest=listed(rest)) if rest else first


def message_of(error: BaseException) -> str:
    """What an exception says; the message that it was raised with, where it was one."""
    raised = error.args[0] if error.args else None
    return raised if isinstance(raised, Message) else str(error)


def with_values(text: str, change: Callable[[str], str]) -> str:
    """The text with every value of it that is a text changed, down to the last; one that is no message is one value."""
    if not isinstance(text, Message):
        return change(text)
    return Message(text.template, **_texts_changed(text, lambda value: with_values(value, change)))


def _texts_changed(message: Message, change: Callable[[str], object]) -> dict[str, object]:
    return {name: change(value) if isinstance(value, str) else value for name, value in message.values.items()}


def to_record(text: str) -> Record:
    """For JSON."""
    if not isinstance(text, Message):
        return text
    return {"template": text.template, "values": _texts_changed(text, to_record)}


def from_record(record: Record) -> str:
    """What `to_record` was given. Raises `ValueError` for anything else."""
    if isinstance(record, str):
        return record
    try:
        values = record["values"].items()
        return Message(str(record["template"]), **{name: _value(value) for name, value in values})
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError("no message") from error


def _value(value: object) -> object:
    return from_record(value) if isinstance(value, str | dict) else value
