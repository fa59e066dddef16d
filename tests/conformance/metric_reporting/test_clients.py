"""Cases 2A, whole clients: the document's shell session, and the programs that there are, each as it was seen to speak
(contract 3.1 to 3.3)."""

import json
import re
import subprocess
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.conformance.lambda_iot.client import PASSWORD, Account, Api
from tests.conformance.metric_reporting.client import Daemon, new_host, new_name
from tests.product import Product

# As the document prints it, but for the address.
TOKEN_COMMAND = "curl -D - -k  -X POST {url}/token -d '{{}}'"
REPORT_COMMAND = """curl -s -X PUT {url}/{device}/metrics \\
  -H 'Content-Type: application/json' -H "Authorization: Bearer {token}" -d '{body}'"""

SAMPLE = """{
  "name": "my-metric",
  "value": 12,
  "units": "my-units",
  "type": "uint32",
  "slope": "both",
  "ttl": 180
}"""


def shell(command: str) -> str:
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def token(daemon: Daemon) -> str:
    head, _, body = shell(TOKEN_COMMAND.format(url=daemon.url)).partition("\n\n")
    lines = head.splitlines()
    assert lines[0] == "HTTP/1.1 200 OK"
    assert "content-type: application/json; charset=utf-8" in [line.lower() for line in lines]
    assert re.fullmatch(r'\{"status":200,"token":"[\w-]+\.[\w-]+\.[\w-]+"\}\n?', body), body
    return str(json.loads(body)["token"])


def report(daemon: Daemon, token: str, device: str, body: str) -> Any:
    return json.loads(shell(REPORT_COMMAND.format(url=daemon.url, device=device, token=token, body=body)))


def test_the_documents_shell_session_reports_a_metric(daemon: Daemon, token: str, host: str) -> None:
    assert report(daemon, token, host, SAMPLE) == {"status": 200}
    assert daemon.value(host, "my-metric") == 12


def test_the_documents_shell_session_has_its_four_errors(daemon: Daemon, token: str, host: str) -> None:
    assert report(daemon, token, "nobody", SAMPLE) == {
        "errors": [{"title": "Host Not Found", "detail": "Unknown host: nobody"}],
        "status": 404,
    }
    for body in ("{", "[]"):
        answer = report(daemon, token, host, body)
        assert (answer["status"], [one["title"] for one in answer["errors"]]) == (400, ["error parsing JSON body"])
    body = SAMPLE.replace('"both"', '"up"').replace("180", "-1").replace('  "units": "my-units",\n', "")
    assert report(daemon, token, host, body) == {
        "errors": [
            {"status": 422, "title": "required", "detail": "units is a required field", "source": "units"},
            {
                "status": 422,
                "title": "oneof",
                "detail": "slope must be one of [zero positive negative both derivative]",
                "source": "slope",
            },
            {"status": 422, "title": "min", "detail": "ttl must be 1 or greater", "source": "ttl"},
        ],
        "status": 422,
    }


def test_m120_and_m121_the_scripts_report_and_list(product: Product, token: str, person: Api) -> None:
    """What the twelve scripts send, as it was captured: curl, pretty JSON, and no look at the status."""
    one, name = new_host(person), new_name("caffeine.level")
    url = f"{product.api}/mrd"
    body = json.dumps(
        {"type": "int32", "name": name, "value": -7, "units": "cups", "slope": "both", "ttl": 3600}, indent=2
    )
    head = f"-k -H 'Accept: */*' -H 'Content-Type: application/json' -H 'Authorization: Bearer {token}'"
    assert shell(f"curl -s -X PUT {head} -d '{body}' {url}/{one}/metrics") == '{"status":200}\n'
    for path in (
        "/metrics/current",
        f"/metrics/{name}/current",
        f"/devices/{one}/metrics/current",
        "/metrics/historic",
        f"/devices/{one}/metrics/historic",
        f"/metrics/{name}/historic/last/hour",
        f"/devices/{one}/metrics/{name}/historic/last/hour",
    ):
        listed = json.loads(shell(f"curl -s {head} {url}{path}"))
        assert isinstance(listed, list)
        assert listed, path


class ConcertimClient:
    """The OpenStack service's client, by its behaviour (contract 3.2). `url` is the appliance's."""

    def __init__(self, url: str, login: str, password: str) -> None:
        self._url = url
        self._user = {"user": {"login": login, "password": password}}
        self._token = ""

    def send_metric(self, id: str, metric: dict[str, Any]) -> Any:
        for _ in range(2):
            if not self._token:
                signed_in = httpx.post(f"{self._url}/users/sign_in.json", json=self._user, timeout=30)
                assert signed_in.status_code in (200, 201), signed_in.text
                self._token = signed_in.headers["Authorization"]
            answer = httpx.put(
                f"{self._url}/mrd/{id}/metrics",
                content=json.dumps(metric),
                headers={"Authorization": self._token, "Content-Type": "application/json"},
                timeout=30,
            )
            if answer.status_code in (401, 403, 405, 407, 408):
                self._token = ""
                continue
            if answer.status_code == 422:
                raise ValueError("missing field" if "blank" in answer.text else "conflict")
            answer.raise_for_status()
            return answer.json()
        raise AssertionError("the second login did not help")


CPU = {"type": "double", "name": "cpu_load", "value": 12.5, "units": "%", "slope": "both", "ttl": 3600}


@pytest.fixture(params=["8080", "3000"])
def openstack(request: pytest.FixtureRequest, product: Product, account: Account) -> ConcertimClient:
    """With the appliance at the main port, and with nothing but the port of metrics."""
    url = product.api if request.param == "8080" else product.urls["metrics"]
    return ConcertimClient(url, account.username, PASSWORD)


def test_m122_openstack_reports(openstack: ConcertimClient, daemon: Daemon, host: str) -> None:
    assert openstack.send_metric(host, CPU) == {"status": 200}
    assert daemon.value(host, "cpu_load") == 12.5


def test_m123_openstack_is_told_of_a_device_that_there_is_not(openstack: ConcertimClient) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        openstack.send_metric("999", CPU)
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        openstack.send_metric("999", {**CPU, "value": float("nan")})


def test_m124_openstack_tells_a_missing_field_from_a_conflict(openstack: ConcertimClient, host: str) -> None:
    with pytest.raises(ValueError, match="missing field"):
        openstack.send_metric(host, {**CPU, "name": " "})
    with pytest.raises(ValueError, match="conflict"):
        openstack.send_metric(host, {**CPU, "type": "int64"})


@pytest.mark.parametrize("path", ["", "/mrd"])
def test_the_script_that_gets_a_token_finds_its_line(product: Product, account: Account, path: str) -> None:
    """It takes the third word of the header's line (contract 3.1)."""
    body = json.dumps({"user": {"login": account.username, "password": PASSWORD}})
    answer = shell(
        f"curl -s -D - -H 'Content-Type: application/json' {product.api}{path}/users/sign_in.json -d '{body}'"
    )
    [line] = [line for line in answer.splitlines() if line.startswith("Authorization: ")]
    assert len(line.split(" ")) == 3
    assert line.split(" ")[1] == "Bearer"


def test_who_does_not_know_the_password_is_not_signed_in(stranger: Daemon, account: Account) -> None:
    for login, password in ((account.username, "wrong"), (uuid4().hex, PASSWORD)):
        answer = stranger.request("POST", "/users/sign_in.json", json={"user": {"login": login, "password": password}})
        assert (answer.status_code, answer.json()) == (401, {"error": "Invalid login or password."})
        assert "authorization" not in answer.headers
    incomplete: list[Any] = [{}, {"user": {"login": account.username}}, {"user": "x"}, []]
    for body in incomplete:
        assert stranger.request("POST", "/users/sign_in.json", json=body).status_code == 400


def test_the_visualisation_app_reads(product: Product, daemon: Daemon, host: str) -> None:
    """At the bare root, with names that are encoded, a token, and arrays expected (contract 3.3)."""
    daemon.report(host, name="power level", value=3)
    app = Daemon(product.urls["metrics"], {"Authorization": "Bearer x.y.z"})
    midnight = 1_795_564_800
    for path in (
        "/metrics/unique",
        f"/devices/{host}/metrics/current",
        "/metrics/power%20level/current",
        f"/devices/{host}/metrics/power%20level/historic/last/quarter",
        f"/devices/{host}/metrics/power%20level/historic/{midnight}/{midnight + 86_399}",
    ):
        assert isinstance(app.ok(path), list)
