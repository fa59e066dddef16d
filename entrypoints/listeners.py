"""Which application stands on which listener."""

from collections.abc import Mapping
from typing import cast

from adapters.proof.inclusion import InclusionProofs
from adapters.security.callback_tokens import CallbackTokens
from adapters.security.codes import ConsentCodes
from adapters.websocket.gateway import WebSocketGateway
from application.policies.forgetting import Forgetting
from entrypoints.analysing import replays
from entrypoints.analytics.application import PREFIX as ANALYTICS_PREFIX
from entrypoints.analytics.application import AnalyticsContract
from entrypoints.analytics.door import Door as AnalyticsDoor
from entrypoints.as_of import AsOf
from entrypoints.audit.application import PREFIX as AUDIT_PREFIX
from entrypoints.audit.application import Audit
from entrypoints.audit.door import Door as AuditDoor
from entrypoints.audit.views import Views
from entrypoints.bearers import Bearers, LockedOut
from entrypoints.cloud_connector import routes as connector_routes
from entrypoints.cloud_connector.application import PREFIX as CONNECTOR_PREFIX
from entrypoints.cloud_connector.application import CloudConnector
from entrypoints.cloud_connector.door import Door as ConnectorDoor
from entrypoints.cloud_connector.origins import Origins
from entrypoints.composition import Api, Worker, utc_now
from entrypoints.connectors import application as connectors
from entrypoints.connectors.application import ConnectorsContract
from entrypoints.connectors.door import Door as ConnectorsDoor
from entrypoints.lambda_iot.application import lambda_iot
from entrypoints.lambda_iot.door import Door
from entrypoints.lambda_iot.locks import Locks
from entrypoints.logins import Logins
from entrypoints.metric_reporting import application as metric_reporting
from entrypoints.metric_reporting.application import MetricReporting
from entrypoints.metric_reporting.door import Door as MetricDoor
from entrypoints.mounts import BesideAnother, ByPath
from entrypoints.operations import pages
from entrypoints.operations.front import Front
from entrypoints.operations.pages import App
from entrypoints.operations.readiness import NotReadyError, database_is_reachable
from entrypoints.privacy.application import PREFIX as PRIVACY_PREFIX
from entrypoints.privacy.application import Privacy
from entrypoints.privacy.door import Door as PrivacyDoor
from entrypoints.refusals import RefusalRecord
from entrypoints.showing import MAPPER, shown_event
from entrypoints.sockets import API, CONNECTOR, CONSUMER, DISCOVERY, LISTENERS, METRICS, PRODUCER, WORKER
from entrypoints.streams import routes as stream_routes
from entrypoints.streams.application import PREFIX as STREAMS_PREFIX
from entrypoints.streams.application import StreamsContract
from entrypoints.streams.door import Door as StreamsDoor
from entrypoints.streams.door import Ports
from projections.audit.histories import HistoryQueries
from projections.audit.moments import Moments
from projections.audit.states import StateQueries
from projections.audit.traces import TraceQueries
from projections.audit.trail_queries import TrailQueries
from projections.connectors.connector_queries import ConnectorQueries
from projections.connectors.thing_queries import ThingQueries
from projections.devices.commands import CommandQueries
from projections.devices.messages import MessageQueries
from projections.metrics.current import CurrentMetricQueries
from projections.metrics.history_queries import MetricHistoryQueries
from projections.persons import PersonQueries
from projections.positions import log_head
from projections.streams.groups import GroupQueries
from projections.streams.places import PlaceQueries
from projections.streams.topics import TopicQueries


def api_apps(api: Api) -> Mapping[str, App]:
    """The application of each HTTP listener, by its name."""
    live = {"/health/live": pages.live()}
    others = [f"http://127.0.0.1:{api.settings.worker_port}/metrics"] if api.settings.worker_port else []
    operators = {
        **live,
        "/health/ready": pages.ready(api.readiness),
        "/metrics": pages.metrics_page(api.metrics, api.database, others),
        "/projections": pages.projections_page(api.database),
    }
    contracts = contract_apps(api)
    refusals = RefusalRecord(api.executor)
    return {
        name: Front(
            name,
            contracts.get(name, pages.not_found()),
            operators if name == API.name else live,
            api.metrics.http,
            refusals,
        )
        for name in (listener.name for listener in LISTENERS)
    }


def contract_apps(api: Api) -> Mapping[str, App]:
    """The wire contracts, by the name of the listener; a listener without one answers 404."""
    locked_out = LockedOut(api.accounts)
    bearers = Bearers(api.tokens, locked_out)
    logins = Logins(api.executor, api.passwords, api.tokens, api.settings.login_failures_per_minute)
    connector = _connector(api, bearers)
    metrics = _metrics(api, locked_out, logins)
    lambda_door = Door(
        executor=api.executor,
        passwords=api.passwords,
        tokens=api.tokens,
        positions=api.positions,
        directory=api.directory,
        readings=api.readings,
        dispatcher=api.dispatcher,
        mqtt_topic=api.settings.mqtt_topic,
        commands=CommandQueries(api.database),
        messages=MessageQueries(api.database),
        bearers=bearers,
        locks=Locks(
            registration=api.settings.registration,
            public_device_list=api.settings.public_device_list,
        ),
        logins=logins,
        stopping=api.stopping,
    )
    main = BesideAnother(
        metrics,
        metric_reporting.PREFIX,
        metric_reporting.is_own,
        BesideAnother(
            connector,
            CONNECTOR_PREFIX,
            connector_routes.is_own,
            ByPath(_connectors(api, bearers), connectors.is_own, cast("App", lambda_iot(lambda_door))),
        ),
    )
    streams = _streams(api, bearers)
    main = BesideAnother(StreamsContract(streams, stream_routes.ALL), STREAMS_PREFIX, lambda _: False, main)
    moments = Moments(api.database)
    analytics = AnalyticsContract(AnalyticsDoor(api.analytics, replays(api.settings), bearers, utc_now))
    about_the_log = BesideAnother(analytics, ANALYTICS_PREFIX, lambda _: False, AsOf(main, moments))
    about_the_log = BesideAnother(_privacy(api, bearers), PRIVACY_PREFIX, lambda _: False, about_the_log)
    return {
        API.name: BesideAnother(_audit(api, bearers, moments), AUDIT_PREFIX, lambda _: False, about_the_log),
        CONNECTOR.name: AsOf(connector, moments),
        METRICS.name: AsOf(metrics, moments),
        DISCOVERY.name: AsOf(StreamsContract(streams, stream_routes.DISCOVERY), moments),
        PRODUCER.name: StreamsContract(streams, stream_routes.PRODUCER),
        CONSUMER.name: AsOf(StreamsContract(streams, stream_routes.CONSUMER), moments),
    }


def _connector(api: Api, bearers: Bearers) -> CloudConnector:
    """One for all its mounts, so that there is one ticker and one set of links."""
    settings, lines = api.settings, api.lines
    origins = Origins(settings.connector_origins, loopback=settings.mode == "up")
    door = ConnectorDoor(
        links=lines.links,
        line=lines.line,
        asker=lines.asker,
        fleet=lines.totals.fleet,
        connections=lines.connections,
        positions=api.positions,
        bearers=bearers,
        auth=settings.connector_auth,
        origins=origins,
        timeout=settings.command_timeout_s,
        pending=lines.pending,
        stopping=api.stopping,
    )
    return CloudConnector(
        door, WebSocketGateway(lines.links, lines.record, lines.line, door.admits_device, origins.allow)
    )


def _connectors(api: Api, bearers: Bearers) -> ConnectorsContract:
    return ConnectorsContract(
        ConnectorsDoor(
            executor=api.executor,
            bearers=bearers,
            positions=api.positions,
            types=api.connector_types,
            line=api.connector_line,
            connectors=ConnectorQueries(api.database),
            things=ThingQueries(api.database),
            consent_codes=ConsentCodes(api.settings.seal_key),
            callback_tokens=CallbackTokens(api.settings.seal_key),
            public_url=api.settings.public_url,
        )
    )


def _streams(api: Api, bearers: Bearers) -> StreamsDoor:
    settings, streams = api.settings, api.streams
    reachable = database_is_reachable(api.database)

    async def is_ready() -> bool:
        try:
            await reachable()
        except NotReadyError:
            return False
        return not api.stopping.is_set()

    return StreamsDoor(
        executor=api.executor,
        poller=streams.poller,
        messages=streams.messages,
        arrivals=streams.arrivals,
        sessions=streams.sessions,
        deliveries=streams.deliveries,
        topics=TopicQueries(api.database),
        groups=GroupQueries(api.database),
        places=PlaceQueries(api.database),
        positions=api.positions,
        bearers=bearers,
        auth=settings.streams_auth,
        head=lambda: log_head(api.database),
        is_ready=is_ready,
        ports=Ports(settings.http_port, settings.discovery_port, settings.producer_port, settings.consumer_port),
        largest=settings.max_message_size,
        stopping=api.stopping,
    )


def _audit(api: Api, bearers: Bearers, moments: Moments) -> Audit:
    trail = TrailQueries(api.database)
    return Audit(
        AuditDoor(
            bearers=bearers,
            trail=trail,
            histories=HistoryQueries(api.database, MAPPER.event),
            states=StateQueries(api.database, MAPPER.event),
            moments=moments,
            traces=TraceQueries(api.database, trail),
            proofs=InclusionProofs(api.settings.database_url),
            views=Views(shown_event, api.accounts.names),
            arrivals=api.streams.arrivals,
            head=lambda: log_head(api.database),
            stopping=api.stopping,
        )
    )


def _privacy(api: Api, bearers: Bearers) -> Privacy:
    records = PersonQueries(api.database, api.positions)
    return Privacy(PrivacyDoor(bearers, Forgetting(api.executor, records)))


def _metrics(api: Api, locked_out: LockedOut, logins: Logins) -> MetricReporting:
    return MetricReporting(
        MetricDoor(
            executor=api.executor,
            tokens=api.tokens,
            locked_out=locked_out,
            logins=logins,
            directory=api.directory,
            positions=api.positions,
            current=CurrentMetricQueries(api.database),
            history=MetricHistoryQueries(api.database),
            read_auth=api.settings.metrics_read_auth,
            development=api.settings.mode == "up",
            clock=utc_now,
            observer=api.metrics.reports,
        )
    )


def worker_app(worker: Worker) -> App:
    """The worker's own health and metrics."""
    operators = {
        "/health/live": pages.live(),
        "/health/ready": pages.ready(worker.readiness),
        "/metrics": pages.metrics_page(worker.metrics),
    }
    return Front(WORKER.name, pages.not_found(), operators, worker.metrics.http)
