"""Metrics as Prometheus reads them, over HTTP (or HTTPS with client certificates, where the process has any).

The page is rendered in a thread of its own: whoever scrapes takes nothing from the event loop but its share of the interpreter.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, TypeAlias
from wsgiref.simple_server import WSGIServer

import prometheus_client
from prometheus_client import core, registry
from prometheus_client.utils import floatToGoString

from longshore.metrics import declared, exposition, instruments
from longshore.rpc import tls

_Shown: TypeAlias = core.CounterMetricFamily | core.GaugeMetricFamily | core.HistogramMetricFamily

_KINDS: Mapping[str, type[_Shown]] = {
    "counter": core.CounterMetricFamily,
    "gauge": core.GaugeMetricFamily,
    "histogram": core.HistogramMetricFamily,
}


class Collector(registry.Collector):
    """Renders what a process's sources measure at the moment they are asked for."""

    def __init__(self, shown: exposition.Sources) -> None:
        self._shown = shown

    def collect(self) -> Iterator[core.Metric]:
        """One metric for each family, however many sources declare it."""
        found: dict[str, _Shown] = {}
        for source in self._shown.all:
            for attribute, family in declared.families(source.measured).items():
                own = (family.label,) if family.label else ()
                if family.name not in found:
                    found[family.name] = _KINDS[family.kind](family.name, family.help, labels=[*source.labels, *own])
                _add(found[family.name], list(source.labels.values()), getattr(source.measured, attribute))
        yield from found.values()


def _add(shown: _Shown, labels: list[str], value: Any) -> None:
    if isinstance(shown, core.HistogramMetricFamily):
        counts, total = list(value.buckets), value.total
        bounds = [*map(floatToGoString, value.bounds), "+Inf"]
        shown.add_metric(labels, list(zip(bounds, itertools.accumulate(counts), strict=True)), total)
    elif isinstance(value, instruments.Maximum):
        shown.add_metric(labels, value.value)
    elif isinstance(value, dict):
        # Copied in one step: the event loop may add a label's value at any moment.
        for label, number in dict(value).items():
            shown.add_metric([*labels, label], number)
    else:
        shown.add_metric(labels, value)


@contextlib.asynccontextmanager
async def serving(shown: exposition.Sources, address: tls.HostPort, files: tls.Files) -> AsyncIterator[tls.HostPort]:
    """Serve the page inside the block, at the address that is given to it."""
    kept = prometheus_client.CollectorRegistry()
    kept.register(Collector(shown))
    prometheus_client.ProcessCollector(registry=kept)
    # In threads: binding may ask a resolver for the host's name, and stopping waits for the server's own thread.
    http, thread = await asyncio.to_thread(_start, kept, address, files)
    try:
        yield tls.HostPort(address.host, http.server_port)
    finally:
        await asyncio.to_thread(http.shutdown)
        await asyncio.to_thread(thread.join)
        http.server_close()


def _start(kept: registry.CollectorRegistry, address: tls.HostPort, files: tls.Files) -> tuple[WSGIServer, Any]:
    try:
        return prometheus_client.start_http_server(
            address.port,
            address.host,
            kept,
            certfile=_path(files.cert),
            keyfile=_path(files.key),
            client_cafile=_path(files.ca),
            client_auth_required=files.ca is not None,
        )
    except OSError as error:
        raise exposition.NotServed(f"cannot serve metrics on {address}: {error.strerror or error}") from error


def _path(file: Any) -> str | None:
    return None if file is None else str(file)
