"""Seven nights through a real schedule, four with a planted fault: what is promoted, what is refused, what is charged, and what the history shows."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest
import yaml

from specs.loading import load_mapping
from tasks.privacy.accounts import together
from tasks.privacy.ledger.database import opened
from tasks.privacy.ledger.ledger import Ledger
from tasks.privacy.ledger.nights import Night, Nights
from tests.pipelines.faults import CHECKOUT, Home, wait_for
from tests.pipelines.nights.snapshots import COLUMNS, TEST, arrive, noiseless_where, utterances
from tests.pipelines.served import Served, served

pytestmark = [pytest.mark.served, pytest.mark.slow, pytest.mark.timeout(1800)]

TRAINED: dict[str, Any] = {
    "kind": "dp-training",
    "name": "assistant",
    "data": {"kind": "files", "train": "test.csv", "test": "test.csv", "columns": COLUMNS, "public_size": 800, "attack_holdout": 400},
    "model": {"kind": "linear"},
    "training": {"epochs": 20, "expected_batch_size": 100, "optimizer": {"kind": "adamw", "learning_rate": 0.08}},
    "privacy": {"kind": "dp-sgd", "target_epsilon": 3, "delta": 1e-5},
    "randomness": "secret",
}
AUDIT: dict[str, Any] = {
    "kind": "retraining-audit",
    "name": "assistant-nightly",
    "question": "Is tonight's model still private, fair and good?",
    "study": TRAINED,
    "snapshot": {"kind": "newest-files", "pattern": "snapshots/*.csv"},
    "population": "people",
    "champion": {"name": "assistant-intent"},
    "gates": [
        {"metric": "privacy/epsilon", "at_most": 3},
        {"metric": "privacy/loss_threshold/auc", "at_most": 0.7},
        {"metric": "fairness/accuracy/difference", "at_most": 0.58},
        {"metric": "utility/accuracy", "not_worse_than": "champion", "by_more_than": 0.3},
    ],
    "notify": {"webhook": "${ASSAY_TEST_HOOK}", "on": ["refused"]},
}
FAULTS = {3: "fairness", 5: "privacy", 6: "utility", 7: "budget"}
WORDS = {"fairness": "fairness/accuracy/difference", "privacy": "loss_threshold/auc", "utility": "utility/accuracy", "budget": "it was not begun"}
"""What the reason of each refusal names."""
EVERY = 15
"""Seconds between scheduled nights; one that meets the night before is cancelled."""


class Told(BaseHTTPRequestHandler):
    """A webhook that keeps what it is told."""

    messages: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        self.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture
def webhook() -> Iterator[str]:
    Told.messages.clear()
    server = HTTPServer(("127.0.0.1", 0), Told)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hidden-token"
    server.shutdown()
    server.server_close()


def budget(folder: Path) -> float:
    """Between what six nights cost and what seven do."""
    inner = load_mapping({**TRAINED, "data": {**TRAINED["data"], "train": str(folder / "test.csv"), "test": str(folder / "test.csv")}}).study
    account = inner.account()
    assert account is not None
    six, seven = (together(Counter({account.mechanism: nights}), 1e-5) for nights in (6, 7))
    assert six < seven < 7 * account.epsilon
    return (six + seven) / 2


def prepared(home: Home) -> float:
    """The home's specs, test records and deployments: ours, the audit every few seconds and nothing else by the clock. Returns the budget."""
    specs = home.folder / "specs"
    (specs / "snapshots").mkdir(parents=True)
    utterances(TEST, 99).to_csv(specs / "test.csv", index=False)
    most = budget(specs)
    (specs / "nightly.yaml").write_text(yaml.safe_dump({**AUDIT, "budget": {"epsilon": most, "delta": 1e-5}}))
    deployed = yaml.safe_load((CHECKOUT / "infra" / "prefect.yaml").read_text())
    for entry in deployed["deployments"]:
        entry.pop("schedules", None)
        if entry["name"] == "nightly" and "retraining_audit" in entry["entrypoint"]:
            entry["parameters"] = {"study": "specs/nightly.yaml"}
            entry["schedules"] = [{"slug": "soon", "interval": EVERY}]
    (home.folder / "infra").mkdir()
    (home.folder / "infra" / "prefect.yaml").write_text(yaml.safe_dump(deployed))
    return most


def nights(home: Home) -> list[Night]:
    path = home.folder / "mlruns" / "ledger.db"
    if not path.exists():
        return []
    return [night for night in Nights(opened(f"sqlite:///{path}")).history("assistant-nightly") if night.decision != "skipped"]


def failed(up: Served) -> list[str]:
    """What the flow runs of nights that failed say."""
    deployment = up.get("deployments/name/retraining-audit/nightly")["id"]
    runs = up.post("flow_runs/filter", {"flow_runs": {"deployment_id": {"any_": [deployment]}}, "limit": 200})
    return [str(run["state"]["message"]) for run in runs if run["state"]["type"] == "FAILED"]


def test_seven_nights(tmp_path: Path, webhook: str) -> None:
    home = Home(tmp_path / "home", {**noiseless_where(tmp_path), "ASSAY_TEST_HOOK": webhook})
    most = prepared(home)
    kept = os.environ.get("ASSAY_TEST_KEEP")
    with served(home) as up:
        for night in range(1, 8):
            removed = tmp_path / "noise-removed"
            removed.touch() if FAULTS.get(night) == "privacy" else removed.unlink(missing_ok=True)
            arrive(home.folder / "specs" / "snapshots", night, FAULTS.get(night, ""))
            assert wait_for(lambda night=night: len(nights(home)) == night, 300), [(found.decision, found.reasons) for found in nights(home)]
        history = nights(home)
        assert [night.decision for night in history] == ["promoted", "promoted", "refused", "promoted", "refused", "refused", "refused"]
        assert [night.version for night in history] == [1, 2, 2, 3, 3, 3, 3]
        for number, fault in FAULTS.items():
            [why] = [found.reasons for found in history if found.snapshot == f"day-{number}.csv"]
            assert len(why) == 1 and WORDS[fault] in why[0], (fault, why)
        assert wait_for(lambda: len(Told.messages) == 4, 30) and [message["decision"] for message in Told.messages] == ["refused"] * 4
        version = up.client().get_model_version_by_alias("assistant-intent", "champion")
        assert version.run_id == history[3].run and str(version.version) == "3"
        assert wait_for(lambda: len(failed(up)) == 4, 60) and all("refused" in message for message in failed(up)), failed(up)
        code, out, err = home.run("report", "assistant-nightly", "--out", str(tmp_path / "report.html"))
        assert code == 0, out + err
        if kept:
            (Path(kept) / "report.html").write_text((tmp_path / "report.html").read_text())
    ledger = Ledger(opened(f"sqlite:///{home.folder}/mlruns/ledger.db"))
    spent = ledger.spent("people")
    assert (spent.committed, spent.open, spent.uncovered) == (6, 0, 0) and ledger.verify()
    assert spent.lifetime is not None and spent.lifetime < most
    page = (tmp_path / "report.html").read_text()
    assert "Night by night" in page and all(f"day-{night}.csv" in page for night in range(1, 8))
    leaked = [path for path in home.folder.rglob("*") if path.is_file() and b"hidden-token" in path.read_bytes()]
    assert leaked == []


def killed_when(moment: Callable[[], bool], home: Home, study: Path) -> None:
    """Run a night and kill it, with all its processes, once something came true."""
    process = home.start("run", str(study), "--json")
    assert wait_for(lambda: moment() or process.poll() is not None, 200) and process.poll() is None
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    psutil.wait_procs(family, timeout=30)


def test_a_night_that_is_killed_resumes_is_charged_once_and_promotes_once(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    prepared(home)
    study = home.folder / "specs" / "nightly.yaml"
    slow = {**yaml.safe_load(study.read_text()), "budget": {"epsilon": 50, "delta": 1e-5}, "notify": None}
    slow["study"] = {**TRAINED, "training": {**TRAINED["training"], "epochs": 150}}
    study.write_text(yaml.safe_dump(slow))
    arrive(home.folder / "specs" / "snapshots", 1)
    unfinished, artifacts = home.folder / "mlruns" / "store" / "unfinished", home.folder / "mlruns" / "store" / "artifacts"
    moments = [lambda: any(unfinished.glob("*/metrics.jsonl")), lambda: any(artifacts.glob("*/model.safetensors")), lambda: bool(nights(home))]
    for moment in moments:
        killed_when(moment, home, study)
    code, out, err = home.run("run", str(study), "--json")
    assert code == 0, out + err
    [night] = nights(home)
    assert night.decision == "promoted" and night.version == 1
    ledger = Ledger(opened(f"sqlite:///{home.folder}/mlruns/ledger.db"))
    assert [entry.action for entry in ledger.entries()] == ["budget", "reserve", "commit"]
    assert (home.folder / "mlruns" / "reports" / "assistant-nightly" / "report.html").exists()
    arrive(home.folder / "specs" / "snapshots", 2)
    twice = [home.start("run", str(study), "--json") for _ in range(2)]
    ends = [process.communicate(timeout=300) for process in twice]
    assert [process.returncode for process in twice] == [0, 0], ends
    assert [night.version for night in nights(home)] == [1, 2]
    assert [entry.action for entry in ledger.entries()][3:] == ["reserve", "commit"]
