"""What the settings of a stage are made of: strict kinds of values, and the class of one section of a recipe."""

from dataclasses import field
from typing import Annotated, Any, TypeVar, dataclass_transform

from pydantic import AllowInfNan, BeforeValidator, ConfigDict, Field, Strict
from pydantic.dataclasses import dataclass

CROP_STEP = 4  # the generator halves a picture twice
STEPS = 10_000_000  # more than anybody trains
NAME = r"[a-z][a-z0-9_-]{0,39}"
PLAIN_PATH = r"[\w./][\w./-]*"  # nothing that a shell would read as more than a path
C = TypeVar("C")


def _no_bool(value: Any) -> Any:
    """YAML's true would be the number 1. A text such as 1e-3, which YAML does not read as a number, is one."""
    if isinstance(value, bool):
        raise ValueError("expected a number, found true or false")
    return value


Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Number = Annotated[float, BeforeValidator(_no_bool), AllowInfNan(False)]
Share = Annotated[Number, Field(ge=0, le=1)]
Weight = Annotated[Number, Field(ge=0, le=1e6)]
Rate = Annotated[Number, Field(ge=1e-9, le=1)]
Steps = Annotated[Whole, Field(ge=0, le=STEPS)]
Batch = Annotated[Whole, Field(ge=1, le=4096)]
Crop = Annotated[Whole, Field(ge=32, le=4096, multiple_of=CROP_STEP)]
Seed = Annotated[Whole, Field(ge=0, le=2**31)]
Threads = Annotated[Whole, Field(ge=1, le=256)]


@dataclass_transform(frozen_default=True, field_specifiers=(field, Field))
def section(cls: type[C]) -> type[C]:
    """A frozen dataclass that checks its values and knows all its keys."""
    return dataclass(frozen=True, config=ConfigDict(extra="forbid"))(cls)


@dataclass_transform(frozen_default=True, field_specifiers=(field, Field))
def part(cls: type[C]) -> type[C]:
    """A frozen dataclass of those keys of a recipe or a section that one stage reads; the others are not looked at."""
    return dataclass(frozen=True, config=ConfigDict(extra="ignore"))(cls)
