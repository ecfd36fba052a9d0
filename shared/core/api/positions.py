"""Positions on the axis: whole numbers of milliseconds, in every notation that JSON has for them.

The API's times are whole numbers, and nothing says that it always writes them with digits alone:
`1.7e12` and `1700000000000.0` are positions. A string, a fraction, a boolean or null is not.
"""

from decimal import Decimal, InvalidOperation

import msgspec

_LONGEST = 18
"""Exponent of the largest 64-bit numbers: nothing larger is expanded into its digits."""

_value_of = msgspec.json.Decoder().decode


def position(written: bytes | msgspec.Raw | None) -> int | None:
    """Return the whole 64-bit number that a JSON value is, None where it is anything else."""
    try:
        value = None if written is None else _value_of(written)
    except msgspec.DecodeError:  # Such as a number beyond every range.
        return None
    if type(value) is float:
        value = _exactly(bytes(written or b"").decode())
    if type(value) is not int:
        return None
    return value if -(2**63) <= value < 2**63 else None


def _exactly(written: str) -> int | None:
    """Return a number that is whole as it is written: a float would round small fractions off."""
    try:
        value = Decimal(written)
    except InvalidOperation:  # Its exponent has more digits than any number of use.
        return None
    if value.adjusted() > _LONGEST or value != value.to_integral_value():
        return None
    return int(value)
