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
                if family.name not in found:
                    labels = [*source.labels, *family.labels]
                    found[family.name] = _KINDS[family.kind](family.name, family.help, labels=labels)
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
        for own, number in dict(value).items():
            shown.add_metric([*labels, *((own,) if isinstance(own, str) else own)], number)
    else:
        shown.add_metric(labels, value)


CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
"""Media type of the page."""


def rendered(shown: exposition.Sources) -> bytes:
    """The page as text, for whoever serves it beside other things. Takes milliseconds: to be called in a thread."""
    return prometheus_client.generate_latest(_registry(shown))


def _registry(shown: exposition.Sources) -> prometheus_client.CollectorRegistry:
    kept = prometheus_client.CollectorRegistry()
    kept.register(Collector(shown))
    prometheus_client.ProcessCollector(registry=kept)
    return kept


@contextlib.asynccontextmanager
async def serving(shown: exposition.Sources, address: tls.HostPort, files: tls.Files) -> AsyncIterator[tls.HostPort]:
    """Serve the page inside the block, at the address that is given to it."""
    kept = _registry(shown)
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
