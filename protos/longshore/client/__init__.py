"""The public Python library: what programs, and the `longshore` command, call Longshore with.

    from longshore.client import client

    async with client.Client() as longshore:
        answer = await longshore.call(longshore.scheduler.RunTask, RunTaskRequest(task_definition="web"))
        async for batch in longshore.watch(cursor=answer.cursor):
            ...

`client` calls and watches, `addresses` says where the control plane is, `following` puts tasks together from events, `documents`
reads task-definition files. Failures are the named classes of `longshore.rpc.errors`.
"""
