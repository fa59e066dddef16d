"""What Prometheus is told. One class for each part that is observed; each fills the observer protocol of its part."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


class _By(dict[str, Counter]):
    """A counter's children by label. Asking prometheus_client for one takes longer than counting."""

    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self._counter = counter

    def __missing__(self, label: str) -> Counter:
        child = self[label] = self._counter.labels(label)
        return child


class CommandMetrics:
    """Fills application.executor.ExecutorObserver."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._commands = Counter("tidemark_commands", "Commands answered", registry=registry)
        self._events = Counter("tidemark_events_appended", "Events appended to the log", registry=registry)
        self._conflicts = Counter("tidemark_command_conflicts", "Batches decided again", registry=registry)
        self._batch = Histogram("tidemark_batch_commands", "Commands a batch", buckets=_SIZES, registry=registry)
        self._commit = Histogram(
            "tidemark_commit_seconds", "From deciding to synced", buckets=_SECONDS, registry=registry
        )
        self._position = Gauge("tidemark_log_position", "Newest position of the log known here", registry=registry)

    def batch_committed(self, commands: int, events: int, seconds: float, position: int) -> None:
        self._commands.inc(commands)
        self._events.inc(events)
        self._batch.observe(commands)
        self._commit.observe(seconds)
        self._position.set(position)

    def conflicted(self) -> None:
        self._conflicts.inc()

    def log_is_at(self, position: int) -> None:
        self._position.set(position)


class ProjectionMetrics:
    """Fills projections.runner.ProjectionObserver."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter("tidemark_projected_events", "Events applied", ["projection"], registry=registry)
        self._position = Gauge("tidemark_projection_position", "How far it is", ["projection"], registry=registry)
        self._lag = Gauge("tidemark_projection_lag", "Events it is behind the log", ["projection"], registry=registry)

    def projected(self, name: str, position: int, events: int) -> None:
        self._events.labels(name).inc(events)
        self._position.labels(name).set(position)

    def lags(self, name: str, lag: int) -> None:
        self._lag.labels(name).set(lag)


class RelayMetrics:
    """Fills adapters.nats.relay.RelayObserver."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter("tidemark_relayed_events", "Events published to NATS", registry=registry)
        self._position = Gauge("tidemark_relay_position", "How far the copy in NATS is", registry=registry)
        self._lag = Gauge("tidemark_relay_lag", "Events the copy in NATS is behind the log", registry=registry)

    def relayed(self, events: int, position: int, lag: int) -> None:
        self._events.inc(events)
        self._position.set(position)
        self._lag.set(lag)


class DeviceMetrics:
    """Fills adapters.mqtt.outcomes.GatewayObserver. `is_connected` once the gateway has subscribed, too."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.is_connected = False
        self._received = _By(Counter("tidemark_mqtt_received", "Messages from devices", ["kind"], registry=registry))
        self._bytes = Counter("tidemark_mqtt_received_bytes", "Payload of these messages", registry=registry)
        self._rejected = _By(Counter("tidemark_mqtt_rejected", "Messages left out", ["reason"], registry=registry))
        self._readings = _By(Counter("tidemark_mqtt_readings", "Readings of devices", ["outcome"], registry=registry))
        self._unacknowledged = Gauge("tidemark_mqtt_unacknowledged", "Messages not yet committed", registry=registry)
        self._connected = Gauge("tidemark_mqtt_connected", "1 while the broker is connected", registry=registry)
        self._connections = Counter("tidemark_mqtt_connections", "Connections made to the broker", registry=registry)

    def message_received(self, kind: str, size: int) -> None:
        self._received[kind].inc()
        self._bytes.inc(size)

    def readings_recorded(self, count: int) -> None:
        self._readings["recorded"].inc(count)

    def readings_rejected(self, count: int) -> None:
        self._readings["rejected"].inc(count)

    def message_rejected(self, reason: str) -> None:
        self._rejected[reason].inc()

    def unacknowledged(self, count: int) -> None:
        self._unacknowledged.set(count)

    def connection_changed(self, connected: bool) -> None:
        self.is_connected = connected
        self._connected.set(int(connected))
        self._connections.inc(int(connected))


class ReportMetrics:
    """What agents report of devices in one request. Fills entrypoints.metric_reporting.door.ReportObserver."""

    def __init__(self, registry: CollectorRegistry) -> None:
        name, about = "tidemark_metric_reports", "Reports of metrics in requests of many"
        self._reports = Counter(name, about, ["form", "outcome"], registry=registry)

    def reported(self, form: str, outcome: str, count: int) -> None:
        if count:
            self._reports.labels(form, outcome).inc(count)


class HttpMetrics:
    """Requests by listener, route, method and status. Routes, not paths: there are as many as the code has."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["listener", "method", "route"]
        self._requests = Counter("tidemark_http_requests", "Requests", [*labels, "status"], registry=registry)
        self._seconds = Histogram("tidemark_http_seconds", "Duration", labels, buckets=_SECONDS, registry=registry)
        self._open = Gauge("tidemark_http_open", "Requests being answered", ["listener"], registry=registry)
        self._open_at: dict[str, Gauge] = {}
        self._known: dict[tuple[str, str, str, int], tuple[Counter, Histogram]] = {}

    def opened(self, listener: str) -> None:
        if listener not in self._open_at:
            self._open_at[listener] = self._open.labels(listener)
        self._open_at[listener].inc()

    def answered(self, listener: str, method: str, route: str, status: int, seconds: float) -> None:
        key = (listener, method, route, status)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = (
                self._requests.labels(listener, method, route, str(status)),
                self._seconds.labels(listener, method, route),
            )
        counter, histogram = known
        counter.inc()
        histogram.observe(seconds)
        self._open_at[listener].dec()


class Metrics:
    """All metrics of one process, which names itself on every sample."""

    def __init__(self, process: str) -> None:
        self.process = process
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.commands = CommandMetrics(self.registry)
        self.projections = ProjectionMetrics(self.registry)
        self.relay = RelayMetrics(self.registry)
        self.devices = DeviceMetrics(self.registry)
        self.reports = ReportMetrics(self.registry)
        self.http = HttpMetrics(self.registry)

    def page(self, others: Iterable[str] = ()) -> bytes:
        """Prometheus' text format; `others` are the pages of further processes, which have named themselves."""
        return generate_latest(_Page(self._named(), *map(text_string_to_metric_families, others)))

    def _named(self) -> Iterator[Metric]:
        for family in self.registry.collect():
            named = Metric(family.name, family.documentation, family.type)
            for sample in family.samples:
                if sample.name.endswith("_created"):
                    continue  # when a counter began to count: a line a counter that nobody asks for
                named.samples.append(sample._replace(labels={**sample.labels, "process": self.process}))
            yield named


class _Page(CollectorRegistry):
    """Families of several processes, each family once as the format wants it."""

    def __init__(self, *pages: Iterable[Metric]) -> None:
        super().__init__()
        families: dict[str, Metric] = {}
        for page in pages:
            for family in page:
                into = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                into.samples.extend(family.samples)
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families.values()
