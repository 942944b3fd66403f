"""`okno run` as a process: it says when it is ready, ends in good order, and says in one line why it can't start."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

OKNO = str(Path(sys.executable).with_name("okno"))
SECONDS = 60


def configuration(folder: Path, database_url: str, *, port: int = 0, amqp: str | None = None) -> Path:
    """A hub with one channel that answers nowhere."""
    path = folder / f"okno-{port}.toml"
    broker = f'[rabbitmq]\nurl = "{amqp}"\n' if amqp else ""
    path.write_text(f"""
data_dir = "{folder}/var"
[postgres]
url = "{database_url}"
{broker}
[http]
port = {port}
[channels.ym-msk]
kind = "yandex"
model = "dbs"
base_url = "http://127.0.0.1:9"
business_id = 1
campaign_id = 2
api_key = "key"
hook_secret = "a-long-random-word-of-the-hook"
""")
    return path


class Running:
    """A hub's process; what it prints is read as it comes."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen([OKNO, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def address(self) -> str:
        """Where it listens, once it says so."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.fullmatch(r"okno: listening on (http://\S+)\n", line)
        assert found, line
        return found[1]

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ends it; the exit code and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(how)
        code = self.process.wait(SECONDS)
        return code, time.monotonic() - began


@pytest.fixture
def started() -> Iterator[list[Running]]:
    """Hubs that are ended when the test ends."""
    found: list[Running] = []
    yield found
    for one in found:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        assert one.process.stdout is not None
        one.process.stdout.close()


def readyz(address: str) -> dict[str, object]:
    """What `/readyz` says."""
    with urllib.request.urlopen(f"{address}/readyz", timeout=10) as answer:
        told: dict[str, object] = json.load(answer)
    return told


def test_it_says_when_it_is_ready_and_ends_when_told(database_url: str, tmp_path: Path, started: list[Running]) -> None:
    """One line with the address; SIGTERM ends it within ten seconds with exit code 0."""
    hub = Running("run", "--config", str(configuration(tmp_path, database_url)))
    started.append(hub)
    assert readyz(hub.address())["log"] is True
    code, took = hub.end()
    assert code == 0
    assert took < 10  # the promise of the command line, not a measurement


def test_a_port_that_is_taken_is_said_in_one_line(database_url: str, tmp_path: Path) -> None:
    """Exit code 1, with what to change."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        path = configuration(tmp_path, database_url, port=taken.getsockname()[1])
        done = subprocess.run(
            [OKNO, "run", "--config", str(path)], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    assert done.returncode == 1
    assert "http.port" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_wrong_role_is_used_wrongly(tmp_path: Path, database_url: str) -> None:
    """Exit code 2, and the roles there are."""
    path = configuration(tmp_path, database_url)
    words = [OKNO, "run", "--role", "intake,king", "--config", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, "dispatch" in done.stderr) == (2, True)


def test_with_a_broker_alone_it_takes_messages(amqp_url: str, tmp_path: Path, started: list[Running]) -> None:
    """Postgres away at the start: ready because the broker is there, and a hook is taken; without either it is not."""
    nowhere = "postgresql://okno@127.0.0.1:9/okno"
    hub = Running("run", "--config", str(configuration(tmp_path, nowhere, amqp=amqp_url)))
    started.append(hub)
    address = hub.address()
    assert readyz(address) == {"broker": True, "log": False, "lag": None}
    body = {
        "notificationType": "ORDER_CREATED", "campaignId": 2, "orderId": 1, "createdAt": "2026-01-16T10:09:49Z",
        "items": [],
    }  # fmt: skip
    url = f"{address}/hooks/ym-msk/a-long-random-word-of-the-hook/notification"
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200
    code, _ = hub.end()
    assert code == 0


def test_with_neither_it_waits_and_says_so(tmp_path: Path, started: list[Running]) -> None:
    """Health is good, readiness is 503, and the process goes on trying."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = configuration(tmp_path, "postgresql://okno@127.0.0.1:9/okno", port=port)
    hub = Running("run", "--config", str(path))
    started.append(hub)
    until = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                assert answer.status == 200
            break
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < until
            time.sleep(0.1)
    with pytest.raises(urllib.error.HTTPError) as refused:
        readyz(f"http://127.0.0.1:{port}")
    assert refused.value.code == 503
    refused.value.close()
    assert hub.end(signal.SIGINT)[0] == 0
