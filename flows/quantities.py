"""Write quantities as a person reads them."""

_GAP = "\N{NO-BREAK SPACE}"

_BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def count(number: int) -> str:
    """Write a count with its thousands apart: `336,776`."""
    return f"{number:,}"


def percent(part: int, whole: int) -> str:
    """Write a share: `97.4 %`; neither 0 % nor 100 % unless it is exactly that."""
    if whole == 0 or part == 0:
        return f"0{_GAP}%"
    if part == whole:
        return f"100{_GAP}%"
    share = 100.0 * part / whole
    if share < 0.01:
        return f"<{_GAP}0.01{_GAP}%"
    if share > 99.99:
        return f">{_GAP}99.99{_GAP}%"
    digits = 2 if share < 1 or share > 99 else 1
    return f"{share:.{digits}f}{_GAP}%"


def seconds(number: float) -> str:
    """Write a duration: `42 ms`, `12.4 s`, `3 min 12 s`, `2 h 05 min`."""
    if number < 0.9995:
        return f"{number * 1000:.0f}{_GAP}ms"
    if number < 99.95:
        return f"{number:.1f}{_GAP}s"
    whole = round(number)
    if whole < 3600:
        return f"{whole // 60}{_GAP}min {whole % 60:02d}{_GAP}s"
    return f"{whole // 3600}{_GAP}h {whole % 3600 // 60:02d}{_GAP}min"


def size(number: int) -> str:
    """Write bytes: `512 B`, `1.2 MiB`."""
    value = float(number)
    for unit in _BYTE_UNITS[:-1]:
        if value < 1023.95:
            return f"{value:.0f}{_GAP}{unit}" if unit == "B" else f"{value:.1f}{_GAP}{unit}"
        value /= 1024
    return f"{value:.1f}{_GAP}{_BYTE_UNITS[-1]}"


def measure(number: float | None) -> str:
    """Write a measured number to four significant digits: `−0.3127`, `1,272`, `6.02e+23`."""
    if number is None:
        return "–"
    if number == 0:
        return "0"
    if 1e-4 <= abs(number) < 1e7:
        digits = max(0, 3 - _order(number))
        text = f"{number:,.{digits}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{number:.2e}"
    return text.replace("-", "−")


def _order(number: float) -> int:
    """Return the power of ten of the first digit."""
    return int(f"{number:e}".partition("e")[2])
