"""Makes the calls of the table of cases through Python's stubs, as the programs of the same name in clients/ do through theirs."""

import asyncio
import base64
import json
import sys
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.message import Message

from longshore.client import client as clients
from longshore.rpc import errors
from longshore.v1 import event_pb2, registry_service_pb2, scheduler_service_pb2, state_tracker_service_pb2, task_pb2

_FILES = {
    "RegistryService": registry_service_pb2.DESCRIPTOR,
    "SchedulerService": scheduler_service_pb2.DESCRIPTOR,
    "StateTrackerService": state_tracker_service_pb2.DESCRIPTOR,
}


async def main() -> None:
    """Read the table, print what came of it."""
    table = json.load(sys.stdin)
    kept: dict[str, str] = {}
    async with clients.Client() as client:
        stubs = dict(zip(_FILES, (client.registry, client.scheduler, client.state_tracker), strict=True))
        results = [await _made(client, stubs, call, kept) for call in table["calls"]]
    json.dump([*results, *map(_read, table["messages"])], sys.stdout)


async def _made(
    client: clients.Client, stubs: dict[str, Any], call: dict[str, Any], kept: dict[str, str]
) -> dict[str, Any]:
    service, _, method = call["call"].partition("/")
    text = json.dumps(call["request"])
    for name, value in kept.items():
        text = text.replace(f"${{{name}}}", value)
    described = _FILES[service].services_by_name[service].methods_by_name[method]
    request = json_format.Parse(text, message_factory.GetMessageClass(described.input_type)())
    try:
        answer = await client.call(getattr(stubs[service], method), request)
    except errors.ServiceError as error:
        refusal = {"code": error.code.name, "reason": error.reason, "message": error.message}
        return {"name": call["name"], "error": refusal}
    document = json_format.MessageToDict(answer)
    for name, path in call.get("keep", {}).items():
        kept[name] = _at(document, path)
    return {"name": call["name"], "answer": document}


def _read(message: dict[str, Any]) -> dict[str, Any]:
    """What is in an event as this language's programs see it, beside its JSON and its bytes written anew."""
    event = event_pb2.Event.FromString(base64.b64decode(message["bytes"]))
    facts = {
        "next_sequence": str(event.sequence + 1),
        "at": str(event.at.ToMicroseconds()) if event.HasField("at") else "absent",
        "change": event.WhichOneof("change") or "none",
        "running": event.task.last_status == task_pb2.TASK_STATUS_RUNNING,
        "last_status": int(event.task.last_status),
        "exit_codes": [
            str(container.exit_code) if container.HasField("exit_code") else "absent"
            for container in event.task.containers
        ],
    }
    return {"name": message["name"], "json": _json(event), "bytes": _bytes(event), "facts": facts}


def _json(message: Message) -> dict[str, Any]:
    return json_format.MessageToDict(message)


def _bytes(message: Message) -> str:
    return base64.b64encode(message.SerializeToString(deterministic=True)).decode()


def _at(document: Any, path: str) -> str:
    for step in path.split("."):
        document = document[int(step) if step.isdigit() else step]
    return str(document)


if __name__ == "__main__":
    asyncio.run(main())
