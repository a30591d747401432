"""`longshore up` at work: the control plane in this process and an agent beside it, until told to stop."""

import asyncio
import contextlib
import dataclasses
import gc
import os
import sys
from collections.abc import Sequence

from longshore.client import client as clients
from longshore.embedded import agent_process, config, control_plane, holder, joining, running_tasks, up
from longshore.embedded.saying import say
from longshore.metrics import exposition, loop_blocks
from longshore.rpc import errors, logs, loops, server, tls
from longshore.storage import errors as storage_errors
from longshore.v1 import registry_service_pb2

LEFT_TIMEOUT_S = 5.0
"""How long the end may be put off to say what still runs."""

FAILED = 1
INTERRUPTED = 130


def run(options: config.Up, folders: config.Folders) -> int:
    """Serve until told to stop; the exit code."""
    logs.configure(level=options.log_level, file=folders.control_plane_log)
    try:
        loop_blocks.run(lambda blocks: _serve(options, folders, blocks))
    except storage_errors.StateInUse as error:
        say(up.already_runs(folders, f"pid {error.pid}" if error.pid is not None else "another process"))
    except exposition.NotServed as error:
        say(f"Longshore {error}. Choose another address with --metrics-listen.")
    except server.BindError as error:
        say(f"{up.port_holders(options.port_base) or f'Longshore {error} '}Choose other ports with --port-base.")
    except (storage_errors.SchemaMismatch, storage_errors.Unavailable) as error:
        say(f"Cannot use {folders.database}: {error}")
    except loops.LoopFailedError as error:
        say(f"Longshore has failed: {error}. See {folders.control_plane_log}.")
    except KeyboardInterrupt:
        return INTERRUPTED
    else:
        return 0
    return FAILED


async def _serve(options: config.Up, folders: config.Folders, blocks: loop_blocks.LoopBlocks) -> None:
    """Serve until told to stop, then say what still runs."""
    shown = exposition.Sources()
    shown.add(blocks, process="up")
    async with contextlib.AsyncExitStack() as stack:
        servings = await stack.enter_async_context(control_plane.running(options, folders, shown))
        # What was made by now stays: no later collection walks through it, which would stop the event loop for long.
        gc.collect()
        gc.freeze()
        gc.enable()
        # Like all of `longshore up`, on loopback alone: there is no TLS and no --insecure here.
        await stack.enter_async_context(
            exposition.serving(shown, listen=options.metrics_listen, files=tls.Files(), insecure=False)
        )
        note = holder.mine(port_base=options.port_base, agent=options.agent)
        holder.write(folders.state, note)
        at = control_plane.client_addresses(options.port_base)
        client = await stack.enter_async_context(clients.Client(addresses=at))
        await _announce(options, folders, client)
        supervisor = await stack.enter_async_context(loops.supervised())
        supervisor.start("beside", lambda: _beside(options, folders, client, note))
        await _until_stopped(servings, supervisor)
        left = await _say_what_runs(client, folders)
        holder.write(folders.state, dataclasses.replace(note, left=left))


async def _beside(options: config.Up, folders: config.Folders, client: clients.Client, note: holder.Holder) -> None:
    """Start the agent, say when it has joined, and then keep it running."""
    async with loops.supervised() as supervisor:
        if options.agent:
            join = joining.Joining()
            agent = agent_process.AgentProcess(agent_environment(options, folders), folders.agent_output)
            supervisor.start("agent", lambda: agent.keep_running(join.ended))
            await join.tell(client, folders.agent_log)
        say("Ready. Ctrl-C stops it." if sys.stdout.isatty() else "Ready.")
        holder.write(folders.state, dataclasses.replace(note, ready=True))
        await supervisor.failed()


def agent_environment(options: config.Up, folders: config.Folders) -> dict[str, str]:
    """The agent's settings."""
    at = control_plane.client_addresses(options.port_base)
    return {
        "LONGSHORE_CLUSTER": "default",
        "LONGSHORE_REGISTRY": at.registry[0],
        "LONGSHORE_STATE_TRACKER": at.state_tracker[0],
        "LONGSHORE_STATE_DIR": str(folders.agent),
        "LONGSHORE_PUBLISH_ADDRESS": options.publish_address,
        "LONGSHORE_INTROSPECTION_PORT": str(config.introspection_port(options.port_base)),
        **_task_metadata(options.port_base),
        "LONGSHORE_LOG_FILE": str(folders.agent_log),
        "LONGSHORE_LOG_LEVEL": options.log_level,
    }


def _task_metadata(port_base: int) -> dict[str, str]:
    """Where the agent serves task metadata: as it does by itself or is told; beside another stack, on a port of this one."""
    if port_base == config.DEFAULT_PORT_BASE or "LONGSHORE_TASK_METADATA_ADDRESS" in os.environ:
        return {}
    port = config.task_metadata_port(port_base)
    return {
        "LONGSHORE_TASK_METADATA_ADDRESS": f"{config.TASK_METADATA_ADDRESS}:{port}",
        "LONGSHORE_TASK_METADATA_PORT": str(port),
    }


async def _announce(options: config.Up, folders: config.Folders, client: clients.Client) -> None:
    ports = holder.ports(options.port_base)
    listed = ", ".join(f"{name.replace('_', '-')} {ports[name]}" for name in holder.GRPC)
    say(f"Longshore serves on {control_plane.LOOPBACK}: {listed}")
    asked = registry_service_pb2.ListAccessKeysRequest(max_results=1)
    keys = (await client.call(client.registry.ListAccessKeys, asked)).access_keys
    credentials = "an access key of `longshore access-key`" if keys else "any credentials"
    url = control_plane.gateway_url(options.port_base)
    say(f"ECS API on {url}, for aws cli, boto3 and Terraform with {credentials}:")
    say(f"  export AWS_ENDPOINT_URL_ECS={url}")
    say(f"State in {folders.state}, logs in {folders.logs}.")
    if options.port_base != config.DEFAULT_PORT_BASE:
        say("To use it from another shell:")
        for name in holder.COMPONENTS:
            say(f"  export LONGSHORE_{name.upper()}={control_plane.LOOPBACK}:{ports[name]}")


async def _until_stopped(servings: Sequence[server.Running], supervisor: loops.Supervisor) -> None:
    """Return at SIGTERM or SIGINT; raise when a loop of a component, or ours, has died."""
    first, *others = servings
    waiting = [asyncio.ensure_future(wait) for wait in (*(serving.wait() for serving in others), supervisor.failed())]
    for task in waiting:
        task.add_done_callback(lambda _: first.stop())
    try:
        await server.until_signalled(first)
        for task in waiting:
            if task.done():
                task.result()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _say_what_runs(client: clients.Client, folders: config.Folders) -> int | None:
    """Tasks outlive us: say which, and how to stop them. Their number, where it can be told."""
    try:
        async with asyncio.timeout(LEFT_TIMEOUT_S):
            tasks = await running_tasks.running(client)
            lines = await running_tasks.described(client, tasks)
    except (errors.ServiceError, TimeoutError):
        return None
    if tasks:
        say(f"{running_tasks.counted(len(tasks))} left running; the next `longshore up` finds them again:")
        for line in lines:
            say(line)
        say(f"To stop them: longshore down --stop-tasks{folders.option()}")
    return len(tasks)
