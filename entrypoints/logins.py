"""Logging in with a name and a password, the same for every contract that lets people do so."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address

from adapters.security.tokens import Tokens
from application.executor import CommandExecutor
from application.identity import AcceptLogin, RefuseLogin, RehashPassword, TryLogin
from application.ports import Passwords
from domain.event import Origin
from domain.identifiers import user_id
from domain.identity.user import USER
from entrypoints.correlation import correlation_id

LIFETIME = timedelta(hours=24)
# Who fails to log in is nobody yet.
STRANGER = "system:login"


class LoginFailedError(Exception):
    """There is no such account, it is disabled, or the password is wrong; which of them is not said."""


@dataclass(frozen=True)
class Logins:
    """`failures` in a minute close the door of a user or of a source for a minute."""

    executor: CommandExecutor
    passwords: Passwords
    tokens: Tokens
    failures: int

    async def log_in(self, username: str, password: str, host: str | None) -> str:
        """A token for 24 hours. Unknown name and wrong password take the same time.

        `host` is the address of the connection. What a header says of another is not believed: anybody can send it.
        Raises LoginFailedError, TooManyFailuresError, and what the executor raises."""
        id, source = user_id(username), network_of(host or "")
        await self.executor.execute(TryLogin(user_id=id, source=source), by(STRANGER))
        account = await self.executor.find(USER, id)
        verified = await self.passwords.verify(account.password_hash if account else None, password)
        if account is None or not verified or account.disabled:
            await self.executor.execute(RefuseLogin(user_id=id, source=source, limit=self.failures), by(STRANGER))
            raise LoginFailedError
        await self.executor.execute(AcceptLogin(user_id=id, source=source), by(f"user:{id}"))
        if self.passwords.is_outdated(account.password_hash):
            rehash = RehashPassword(username=account.username, password_hash=await self.passwords.hash(password))
            await self.executor.execute(rehash, by(f"user:{id}"))
        return self.tokens.issue(account.username, id, LIFETIME)


def by(actor: str) -> Origin:
    return Origin(actor=actor, source="http", correlation_id=correlation_id())


def network_of(host: str) -> str:
    """Whom to hold responsible: the address, of IPv6 the first 64 bits, which one customer has."""
    try:
        address: IPv4Address | IPv6Address = ip_address(host)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"
