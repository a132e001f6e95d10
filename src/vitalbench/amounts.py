"""Amounts as people read them."""


def shown_size(count: int) -> str:
    """Bytes.

    >>> shown_size(999), shown_size(23_400_000)
    ('999 B', '23.4 MB')
    """
    for unit, of in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= of:
            return f"{count / of:.1f} {unit}"
    return f"{count} B"


def shown_age(seconds: float) -> str:
    """A stretch of time.

    >>> shown_age(40), shown_age(200), shown_age(5400), shown_age(90_000)
    ('40 s', '3 min', '1.5 h', '1.0 d')
    """
    for unit, of, digits in (("d", 86400, 1), ("h", 3600, 1), ("min", 60, 0)):
        if seconds >= of:
            return f"{seconds / of:.{digits}f} {unit}"
    return f"{seconds:.0f} s"


def shown_usd(usd: float) -> str:
    """Money: cents, or two digits of what is less.

    >>> shown_usd(12.345), shown_usd(0.0012345), shown_usd(0)
    ('12.35 USD', '0.0012 USD', '0.00 USD')
    """
    return f"{usd:.2f} USD" if usd >= 0.1 or usd == 0 else f"{usd:.2g} USD"
