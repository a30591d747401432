"""The one way between ECS's JSON and our messages: `from_json`, `to_json`, `loads`, `dumps`.

Pure. It goes by the descriptors, so a new field needs nothing here. Unlike protobuf's own JSON it takes only ECS's names, never
"256" for 256, names the path of whatever is wrong (all faults of a document at once), and writes what ECS writes: 64-bit
numbers as numbers, epoch seconds, ECS's words for enums, [] where ECS's clients expect a list. The gateway, the CLI and the
public library speak JSON through this module alone.

| in a message | in JSON |
|---|---|
| field left out (`optional`), enum UNSPECIFIED | absent |
| field set to its zero | 0, "", false |
| empty repeated field | absent, or [] where ECS always writes the list |
| message marked `flatten` | its list, [] included |
| `longshore_only` field | absent and refused, unless asked for |
| enum value that this release does not know | absent |
| NaN, infinity | absent: JSON has neither |
"""

from typing import Any, TypeVar, cast, overload

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from longshore.rpc import codec_faults, codec_reading, codec_text, codec_writing

CodecError = codec_faults.CodecError
Fault = codec_faults.Fault

loads = codec_text.loads
dumps = codec_text.dumps

M = TypeVar("M", bound=Message)


@overload
def from_json(into: type[M], document: object, *, longshore_only: bool = False) -> M: ...
@overload
def from_json(into: M, document: object, *, longshore_only: bool = False) -> M: ...
def from_json(into: Any, document: object, *, longshore_only: bool = False) -> Any:
    """Read a document, as text or as parsed JSON, into a message type, or over what an instance holds.

    Raises CodecError with every fault of the document (the first MAX_FAULTS of them); an instance is then left as it was.
    `longshore_only` also takes the members that ECS's API does not have.
    """
    kind = into if isinstance(into, type) else type(into)
    message = kind()
    faults = codec_faults.Collector()
    try:
        value = codec_text.parse(document, faults) if isinstance(document, str | bytes) else document
        codec_reading.read_object(message, value, codec_faults.ROOT, faults, longshore_only=longshore_only)
    except codec_faults.Enough:
        faults.finish(more=True)
    faults.finish()
    if isinstance(into, type):
        return message
    into.CopyFrom(message)
    return into


def to_json(message: Message, *, longshore_only: bool = False) -> dict[str, Any]:
    """Write a message as ECS would answer it. `longshore_only` adds the members that ECS's API does not have."""
    descriptor = cast(Descriptor, message.DESCRIPTOR)
    return codec_writing.writer(descriptor, longshore_only=longshore_only).write(message)
