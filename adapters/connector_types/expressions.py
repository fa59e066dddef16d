"""Regular expressions that somebody else wrote: matched in a time that grows with the text and no faster, whatever they
are. Python's own engine may take for ever, and nothing else runs meanwhile."""

from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema


def is_expression(text: str) -> bool:
    """Look-arounds and references back are none: they cannot be matched so."""
    try:
        _validator(text)
    except SchemaError:
        return False
    return True


def matches(expression: str, text: str) -> bool:
    """Whether it is found anywhere in the text."""
    try:
        _validator(expression).validate_python(text)
    except (SchemaError, ValidationError):
        return False
    return True


@lru_cache(maxsize=256)
def _validator(expression: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=expression, regex_engine="rust-regex", strict=True))
