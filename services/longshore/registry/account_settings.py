"""The operations on account settings: request in, answer out."""

from longshore.registry import account_setting_rows, principals, setting_names
from longshore.registry.account_setting_rows import Setting
from longshore.rpc import arns, errors
from longshore.storage import pages, steps
from longshore.storage.database import Database
from longshore.v1 import account_pb2, registry_service_pb2

MAX_PAGE = 10


async def put(
    database: Database, place: arns.Place, request: registry_service_pb2.PutAccountSettingRequest, *, principal: str
) -> registry_service_pb2.PutAccountSettingResponse:
    """PutAccountSetting, for the caller or the principal that is named."""
    setting_names.check(request.name, request.value)
    named = _named(request.principal_arn, place)

    def work(_: object) -> steps.Step[Setting]:
        whose = yield from _whose(principal, named)
        setting = Setting(whose, request.name, request.value)
        yield from account_setting_rows.put(setting)
        return setting

    return registry_service_pb2.PutAccountSettingResponse(setting=_view(await database.run(work), place))


async def put_default(
    database: Database, place: arns.Place, request: registry_service_pb2.PutAccountSettingDefaultRequest
) -> registry_service_pb2.PutAccountSettingDefaultResponse:
    """PutAccountSettingDefault: for all who have none of their own."""
    setting_names.check(request.name, request.value)
    setting = Setting(principals.ROOT, request.name, request.value)
    await database.run(lambda _: account_setting_rows.put(setting))
    return registry_service_pb2.PutAccountSettingDefaultResponse(setting=_view(setting, place))


async def list_(
    database: Database, place: arns.Place, request: registry_service_pb2.ListAccountSettingsRequest, *, principal: str
) -> registry_service_pb2.ListAccountSettingsResponse:
    """ListAccountSettings, by name: what was put for a principal, or what holds for it."""
    if request.name:
        setting_names.known(request.name)
    elif request.value:
        raise errors.InvalidParameterException(
            "You must also specify an account setting name to list the settings with a value.", field="name"
        )
    page = pages.of(request, most=MAX_PAGE)
    after = page.after[0] if page.after else ""
    named = _named(request.principal_arn, place)

    def work(_: object) -> steps.Step[dict[str, Setting]]:
        whose = yield from _whose(principal, named)
        if request.effective_settings:
            found = yield from account_setting_rows.effective(whose)
        else:
            found = yield from account_setting_rows.own(whose)
        return found

    found = await database.read(work)
    listed = [
        setting
        for name, setting in sorted(found.items())
        if name in setting_names.NAMES
        and name > after
        and request.name in {"", name}
        and request.value in {"", setting.value}
    ]
    shown, token = page.cut(listed, lambda setting: (setting.name,))
    return registry_service_pb2.ListAccountSettingsResponse(
        settings=[_view(setting, place) for setting in shown], next_token=token or None
    )


async def delete(
    database: Database, place: arns.Place, request: registry_service_pb2.DeleteAccountSettingRequest, *, principal: str
) -> registry_service_pb2.DeleteAccountSettingResponse:
    """DeleteAccountSetting: the principal's own value goes, whatever held before holds again."""
    setting_names.changeable(request.name)
    named = _named(request.principal_arn, place)

    def work(_: object) -> steps.Step[Setting]:
        whose = yield from _whose(principal, named)
        holding = yield from account_setting_rows.remove(whose, request.name)
        return Setting(whose, request.name, holding.value)

    return registry_service_pb2.DeleteAccountSettingResponse(setting=_view(await database.run(work), place))


def _named(text: str, place: arns.Place) -> str | None:
    """The principal of a request that names one."""
    return principals.of_arn(text, place) if text else None


def _whose(principal: str, named: str | None) -> steps.Step[str]:
    """Whose settings are meant. Root may speak of everybody's, others of their own."""
    caller = yield from principals.of_caller(principal)
    if named is None or named == caller:
        return caller
    if caller != principals.ROOT:
        raise errors.AccessDeniedException(
            f"To name another principal you must be the root user of the account; you are {caller}.", principal=caller
        )
    return named


def _view(setting: Setting, place: arns.Place) -> account_pb2.Setting:
    managed = setting_names.NAMES[setting.name].managed
    return account_pb2.Setting(
        name=setting.name,
        value=setting.value,
        principal_arn=principals.arn(setting.principal, place),
        type=account_pb2.SETTING_TYPE_AWS_MANAGED if managed else account_pb2.SETTING_TYPE_USER,
    )
