"""Every read model there is."""

from projections.audit.trail import AuditTrail
from projections.connectors.connectors import Connectors
from projections.connectors.things import Things
from projections.devices.commands import DeviceCommandHistory
from projections.devices.connections import ConnectedDevices
from projections.devices.directory import DeviceDirectory
from projections.devices.messages import StateMessageStore
from projections.devices.readings import ReadingHistory
from projections.identity.accounts import AccountDirectory
from projections.metrics.current import CurrentMetrics
from projections.metrics.history import MetricHistory
from projections.readmodel import ReadModel
from projections.streams.groups import Groups
from projections.streams.topics import Topics

READ_MODELS: tuple[type[ReadModel], ...] = (
    AccountDirectory,
    DeviceDirectory,
    ReadingHistory,
    DeviceCommandHistory,
    StateMessageStore,
    ConnectedDevices,
    CurrentMetrics,
    MetricHistory,
    Connectors,
    Things,
    Topics,
    Groups,
    AuditTrail,
)
