"""What of an agent's statistics is taken. Pure.

They are numbers to be shown, never reckoned with; but one sample that cannot be shown would take those of all hosts with it.
"""

import math

from google.protobuf.descriptor import FieldDescriptor

from longshore.rpc import arns, errors
from longshore.v1 import statistics_pb2
from longshore.views import times

MAX_BYTES = 1024 * 1024
"""What is kept of one instance: some thousand containers."""

_NUMBERS = tuple(
    field.name
    for field in statistics_pb2.ContainerStatistics.DESCRIPTOR.fields
    if field.type in {FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_DOUBLE}
)


def taken(told: statistics_pb2.InstanceStatistics) -> statistics_pb2.InstanceStatistics | None:
    """The samples that can be shown; None where it is more than a host has."""
    if told.ByteSize() > MAX_BYTES:
        return None
    if all(map(_is_good, told.tasks)):
        return told
    return statistics_pb2.InstanceStatistics(tasks=filter(_is_good, told.tasks))


def _is_good(sample: statistics_pb2.TaskStatistics) -> bool:
    try:
        if arns.task(sample.task).name != sample.task:
            return False
    except errors.ServiceError:
        return False
    return times.writable(sample.sampled_at) and all(
        math.isfinite(number := getattr(container, name)) and number >= 0
        for container in sample.containers
        for name in _NUMBERS
    )
