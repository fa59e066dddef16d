"""The routes of this contract."""

from entrypoints.contract_application import Handler, Routes
from entrypoints.privacy.door import Door
from entrypoints.privacy.exchange import PrivacyExchange
from entrypoints.privacy.routes import forget

ROUTES: Routes[Handler[Door, PrivacyExchange]] = {"/forget": {"POST": forget.forget}}
