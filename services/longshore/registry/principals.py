"""Principals as ECS names them: the account's root, its users, its roles.

Inside Longshore a principal is a word: `local-admin`, `cert:…`, `access-key:<id>`. To ECS an access key is the user of the key's name, so
two keys of one name are one user; everybody else speaks for the account itself.
"""

import re

from longshore.registry import access_key_rows
from longshore.rpc import arns, errors
from longshore.storage import steps

ROOT = "root"
"""What stands behind the account in the ARN of its root."""

ACCESS_KEY = "access-key:"
"""What the principal of a request that was signed with an access key begins with."""

_ARN = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>[0-9]{12}):(?P<name>root|(?:user|role)/[A-Za-z0-9+=,.@_/-]{1,512})")


def of_caller(principal: str) -> steps.Step[str]:
    """What stands behind the account in the ARN of a caller: `root`, or `user/` and the name of their key."""
    if not principal.startswith(ACCESS_KEY):
        return ROOT
    name = yield from user_name(principal)
    return f"user/{name}"


def user_name(principal: str) -> steps.Step[str]:
    """The name of the key of a caller; the key's id where it was deleted since the gateway looked."""
    access_key_id = principal.removeprefix(ACCESS_KEY)
    name = yield from access_key_rows.name_of(access_key_id)
    return name or access_key_id


def of_arn(text: str, place: arns.Place) -> str:
    """What stands behind the account in an ARN. Raises InvalidParameterException."""
    matched = _ARN.fullmatch(text)
    if matched is None:
        raise errors.InvalidParameterException(
            "Invalid principal arn: it is neither the account's root nor one of its users or roles"
            " (arn:aws:iam::<account>:root, :user/<name>, :role/<name>).",
            field="principalArn",
        )
    if matched["account"] != place.account:
        raise errors.InvalidParameterException(
            f"Invalid principal arn: it is of the account {matched['account']}. Your accountId is {place.account}",
            field="principalArn",
        )
    return matched["name"]


def arn(name: str, place: arns.Place) -> str:
    """The ARN of a principal from what stands behind the account."""
    return f"arn:{place.partition}:iam::{place.account}:{name}"
