"""What every settings section is made of: the frozen base class, the text types, and `setting`.

A setting is declared once, with everything that `explain`, the validation messages and the reference page say
about it: its description, unit, default, valid values, and whether a change needs a restart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
)


class Section(BaseModel):
    """An immutable group of settings. Unknown names are refused, and errors never repeat what was given."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        validate_default=True,
    )


def setting(
    default: Any, description: str, *, unit: str = "", restart: bool = True, valid: str = "", **limits: Any
) -> Any:
    """Declare a setting.

    Parameters
    ----------
    default : object
        A value valid for the annotated type.
    description : str
        One sentence for people.
    unit : str
        Such as "seconds" or "bytes"; empty where there is none.
    restart : bool
        Whether a change takes effect only after a restart.
    valid : str
        What is valid, where type and limits do not say it all.
    **limits
        pydantic constraints: `ge`, `gt`, `le`, `lt`.
    """
    return Field(
        default,
        description=description,
        json_schema_extra={"unit": unit, "restart": restart, "valid": valid},
        **limits,
    )


def _printable(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if text != text.strip() or not all(c >= " " and c != "\x7f" for c in text):
        raise ValueError("begins or ends with a space, or holds a line break or control character")
    return secret


def _empty_is_none(value: Any) -> Any:
    return None if value == "" else value


def _refuse_empty(value: Any) -> Any:
    if value == "":  # pathlib would take it for the working directory
        raise ValueError("is empty")
    return value


def _expanded(path: Path) -> Path:
    if "\x00" in str(path):
        raise ValueError("holds a NUL character")
    try:
        return path.expanduser()
    except RuntimeError as exc:
        raise ValueError("names a home directory that does not exist") from exc


Text = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""One line of text; empty means not set."""

Secret = Annotated[SecretStr, AfterValidator(_printable)]
"""Text that is never shown; empty means not set."""

Folder = Annotated[Path, BeforeValidator(_refuse_empty), AfterValidator(_expanded)]
"""A path, not empty; `~` is the home directory."""

OptionalPath = Annotated[Folder | None, BeforeValidator(_empty_is_none)]
"""A path, or nothing: left out, or empty text."""
