"""Task-level CPU and memory as people write them, in definitions and in overrides. Pure. The stored form is the plain number."""

import re

UNITS_PER_CPU = 1024
MIB_PER_GB = 1024

# Reckoned in whole millionths: exact, and an agent need not load fractions and decimal numbers for it.
_DECIMALS = 6
_DIGITS = re.compile(r"\d{1,9}", re.ASCII)
_AMOUNT = r"(?P<number>\d{1,6}(?:\.\d{1,6})?|\.\d{1,6})"
_CPUS = re.compile(rf"{_AMOUNT}\s*vcpu", re.ASCII | re.IGNORECASE)
_GIGABYTES = re.compile(rf"{_AMOUNT}\s*gb", re.ASCII | re.IGNORECASE)


def cpu_units(text: str) -> int | None:
    """CPU units of `1024`, `1 vCPU`, `.5 vcpu`; None where it is none of these or no whole number of units."""
    return _whole(text, _CPUS, UNITS_PER_CPU)


def memory_mib(text: str) -> int | None:
    """MiB of `512`, `1GB`, `0.5 GB`; None where it is none of these or no whole number of MiB."""
    return _whole(text, _GIGABYTES, MIB_PER_GB)


def _whole(text: str, pattern: re.Pattern[str], factor: int) -> int | None:
    bare = text.strip()
    if _DIGITS.fullmatch(bare):
        return int(bare)
    match = pattern.fullmatch(bare)
    if match is None:
        return None
    whole, _, decimals = match["number"].partition(".")
    amount, rest = divmod(int(whole + decimals.ljust(_DECIMALS, "0")) * factor, 10**_DECIMALS)
    return None if rest else amount
