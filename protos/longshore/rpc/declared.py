"""Which errors an RPC gives by name, as the contract's option `(errors)` has it; and what was given beside that, told once."""

import functools

from google.protobuf import descriptor_pool

from longshore.rpc import errors
from longshore.v1 import options_pb2

OF_ANY_CALL = frozenset(
    error.reason
    for error in (
        errors.AccessDeniedException,
        errors.Cancelled,
        errors.DeadlineExceeded,
        errors.InvalidParameterException,
        errors.ResourceExhausted,
        errors.ServerException,
        errors.Unavailable,
        errors.UnsupportedFeatureException,
    )
)
"""What any call can be refused with: its caller, its form, its size, its time, a component that is away, older or at fault."""

_noticed: set[tuple[str, str]] = set()


@functools.cache
def of(method: str) -> frozenset[str] | None:
    """The reasons that a method (`/longshore.v1.SchedulerService/RunTask`) gives; None for one that is not of our contract."""
    service, _, name = method.strip("/").rpartition("/")
    try:
        found = descriptor_pool.Default().FindServiceByName(service)
    except KeyError:
        return None
    if not found.full_name.startswith("longshore.") or name not in found.methods_by_name:
        return None
    return OF_ANY_CALL.union(found.methods_by_name[name].GetOptions().Extensions[options_pb2.errors])


def is_news(method: str, error: errors.ServiceError) -> bool:
    """Whether an error is not one that its method declares, and this process has not been told so yet."""
    declared = of(method)
    if declared is None or error.reason in declared or (method, error.reason) in _noticed:
        return False
    _noticed.add((method, error.reason))
    return True


def forget() -> frozenset[tuple[str, str]]:
    """Give what was noticed so far, method and reason, and begin anew."""
    noticed = frozenset(_noticed)
    _noticed.clear()
    return noticed
