"""Positions on the axis: whole numbers of milliseconds, in every notation that JSON has for them.

The API's times are whole numbers, but it does not promise to write them with digits alone. So
`1.7e12` and `1700000000000.0` are positions, too; a string, a fraction, a boolean or null is not.
"""

from decimal import Decimal, InvalidOperation

import msgspec

_value_of = msgspec.json.Decoder().decode


def position(written: bytes | msgspec.Raw | None) -> int | None:
    """Return a JSON value that is a whole 64-bit number, None for any other value."""
    if written is None:
        return None
    try:
        value = _value_of(written)
    except msgspec.DecodeError:  # For example, a number that no type can hold.
        return None
    if type(value) is float:
        value = _exactly(bytes(written).decode())
    if type(value) is not int:
        return None
    return value if -(2**63) <= value < 2**63 else None


def _exactly(written: str) -> int | None:
    """Return a number that is whole as it is written; a float would drop small fractions."""
    try:
        value = Decimal(written)
    except InvalidOperation:  # Its exponent is too long for a decimal.
        return None
    return int(value) if value == value.to_integral_value() else None
