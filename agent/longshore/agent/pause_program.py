"""The program of pause containers: an executable of a few hundred bytes, written here so that nothing has to be pulled. Pure.

Its sources are `pause/*.s`; the code below is what they assemble to.
"""

import struct
from collections.abc import Mapping
from types import MappingProxyType

CODE: Mapping[str, bytes] = MappingProxyType(
    {
        "x86_64": bytes.fromhex(
            "b80d000000bf11000000488d354700000031d241ba080000000f05b80e00000031ff488d354f00000031d241ba080000000f05b880000000"
            "488d3d3900000031f631d241ba080000000f0585c078e4b8e700000031ff0f05"
            "01000000000000000200000000000000000000000000000000000000000000000240000000000000"
        ),
        "aarch64": bytes.fromhex(
            "c81080d2200280d281020010020080d2030180d2010000d4e81080d2000080d2c1020010020080d2030180d2010000d4"
            "281180d220020010010080d2020080d2030180d2010000d440ffff37c80b80d2000080d2010000d4"
            "01000000000000000200000000000000000000000000000000000000000000000240000000000000"
        ),
    }
)
"""Machine code and data, by the name that the kernel gives the processor."""

_MACHINE = {"x86_64": 62, "aarch64": 183}  # EM_X86_64, EM_AARCH64
_IDENTITY = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian, version 1
_EXECUTABLE = 2
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_LOADED = 1
_READ_AND_RUN = 5
_BASE = 0x400000
_PAGE = 0x10000
"""The largest page of either processor."""


def program(architecture: str) -> bytes:
    """The executable: an ELF header, one segment, the code. KeyError for a processor that has none."""
    code = CODE[architecture]
    begin = _HEADER.size + _SEGMENT.size
    size = begin + len(code)
    header = _HEADER.pack(
        _IDENTITY, _EXECUTABLE, _MACHINE[architecture], 1, _BASE + begin, _HEADER.size, 0, 0,
        _HEADER.size, _SEGMENT.size, 1, 0, 0, 0,
    )  # fmt: skip
    segment = _SEGMENT.pack(_LOADED, _READ_AND_RUN, 0, _BASE, _BASE, size, size, _PAGE)
    return header + segment + code
