"""Flower's deployment on loopback: TLS, nodes that prove who they are, the model of the in-process engine, nodes that are killed, nothing left running."""

from __future__ import annotations

import signal
import socket
import ssl
import stat
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
import torch
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from pydantic import ValidationError

from tasks.core.errors import UserError
from tasks.federated.engine import ENGINES
from tasks.federated.engines.flower_deployment import SECRET, FlowerDeployment
from tasks.federated.flower.credentials import LOOPBACK, write_certificates, write_node_key, write_shared_secret
from tasks.federated.flower.deployment import Loopback
from tasks.federated.flower.fleet import Fleet
from tasks.federated.flower.layout import DevicesLost, FlowerLayout, OnFailure
from tasks.federated.flower.processes import Program, free_port
from tasks.federated.flower.superlink import SuperLink
from tasks.federated.local import Layout, Work
from tests.conftest import Prepare
from tests.federated.nodes import DATA, federation, folders, training, weights
from tests.federated.processes import assert_nothing_outlives, left, mark, marked
from tests.federated.test_flower import equal, ran

WAIT = 240.0


@pytest.fixture(scope="module")
def inputs(prepare: Prepare, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return folders(prepare(DATA), tmp_path_factory.mktemp("inputs"))


def over(fleet: Fleet, on_failure: OnFailure) -> Callable[[Work, str], Layout]:
    return lambda work, told: FlowerLayout(work, fleet, told, on_failure)


def kill_in_the_middle(fleet: Fleet, partition: int) -> None:
    """Kill a SuperNode once it has received the next message of training."""
    host = fleet.host
    assert isinstance(host, Loopback)
    log, check = host.programs[partition].log, host.check
    before = log.read_text().count("Received successfully")

    def watch() -> None:
        check()
        if log.read_text().count("Received successfully") > before:
            host.check = check  # type: ignore[method-assign]
            (service,) = [child for child in psutil.Process(host.programs[partition].group).children() if "flower-supernode" in " ".join(child.cmdline())]
            service.send_signal(signal.SIGKILL)

    host.check = watch  # type: ignore[method-assign]


@pytest.mark.served
def test_supernodes_give_the_model_of_the_in_process_engine_and_one_may_be_killed(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One SuperLink for all of it: its start is most of the time. First it is joined by its address, as a team's is."""
    name = mark(monkeypatch)
    host = Loopback(tmp_path / "flower", inputs, 2, "cpu")
    try:
        superlink = host.begin()
        assert_it_can_be_joined(host, inputs, tmp_path, monkeypatch)
        assert_only_its_own_may_come_in(host)
        with superlink.run() as grid:
            fleet = Fleet(grid, 2, WAIT, host)
            fleet.gather()
            assert_a_round_completes(fleet, inputs, tmp_path)
            assert_a_round_fails_and_goes_on(fleet, inputs, tmp_path)
        assert len(marked(name)) >= 5
    finally:
        host.end()
    assert left(name, within=5.0) == []


def assert_it_can_be_joined(host: Loopback, inputs: dict[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rounds on the nodes of a SuperLink that is only named."""
    monkeypatch.setenv(SECRET, str(host.folder / "superexec.secret"))
    engine = ENGINES.parse(
        {"kind": "flower-deployment", "address": host.address, "root_certificates": host.authority, "nodes": 2, "timeout_seconds": WAIT, "on_failure": "fail"}
    )
    assert isinstance(engine, FlowerDeployment)
    with engine.fleet(2, inputs, folder, "cpu") as fleet:
        there = training(inputs, folder / "joined", federation(), over(fleet, "fail"))
        assert equal(ran(training(inputs, folder / "here", federation())), ran(there))


def assert_a_round_completes(fleet: Fleet, inputs: dict[str, Path], folder: Path) -> None:
    """Without the devices of the node that was killed, and the next one with all."""
    whole = ran(training(inputs, folder / "whole", federation(rounds=2)))
    complete = training(inputs, folder / "complete", federation(rounds=2), over(fleet, "complete"))
    kill_in_the_middle(fleet, 1)
    first, second = ran(complete).log.rounds
    lost = first.client % 2 == 1
    assert 0 < lost.sum() < len(lost) and np.array_equal(first.answered, ~lost) and (first.weight[lost] == 0).all()
    assert np.array_equal(first.weight[~lost], whole.log.rounds[0].weight[~lost])
    assert second.answered.all() and not torch.allclose(weights(complete), weights(whole), atol=1e-4)


def assert_a_round_fails_and_goes_on(fleet: Fleet, inputs: dict[str, Path], folder: Path) -> None:
    """The training ends in the round in which a node is killed; run again, it ends as one in which none was."""
    failing = training(inputs, folder / "failing", federation(rounds=2), over(fleet, "fail"))
    kill_in_the_middle(fleet, 1)
    with pytest.raises(DevicesLost, match="Run it again to go on"):
        failing.run()
    again = ran(training(inputs, folder / "failing", federation(rounds=2), over(fleet, "fail")))
    assert equal(ran(training(inputs, folder / "two", federation(rounds=2))), again)


def assert_only_its_own_may_come_in(host: Loopback) -> None:
    """Nobody is answered without TLS, none believes another's certificate, and a node with a key that nobody registered does not join."""
    place, port = host.address.split(":")
    with pytest.raises(httpx.HTTPError):
        httpx.post(f"http://{host.address}/v1/control/list-runs", timeout=5)
    with socket.create_connection((place, int(port)), timeout=5) as plain, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
    stranger = host.folder / "stranger"
    stranger.mkdir()
    write_node_key(stranger / "node.key")
    who = ["--auth-supernode-private-key", str(stranger / "node.key"), "--node-config", "partition-id=0 num-partitions=2"]
    where = ["--superlink", host.address, "--root-certificates", str(host.authority), "--host", LOOPBACK, "--port", str(free_port()), "--max-retries", "1"]
    program = Program("stranger", ["flower-supernode", *where, *who], stranger)
    try:
        end = time.monotonic() + 60
        while not program.ended and "SuperNode ID:" not in program.log.read_text() and time.monotonic() < end:
            time.sleep(0.1)
    finally:
        program.end()
    assert program.ended and "SuperNode ID:" not in program.log.read_text()


@pytest.mark.served
def test_nothing_is_left_of_a_step_that_was_killed(inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name: str(path) for name, path in inputs.items()}
    paths = "{name: Path(path) for name, path in " + repr(given) + ".items()}"
    assert_nothing_outlives("deployment", f"deployed(Path({str(tmp_path / 'flower')!r}), {paths}, 2, 'cpu', {WAIT})", monkeypatch)


def test_certificates_are_for_loopback_alone_and_secrets_for_the_owner_alone(tmp_path: Path) -> None:
    authority, certificate, key = write_certificates(tmp_path)
    write_node_key(tmp_path / "node.key")
    write_shared_secret(tmp_path / "secret")
    for secret in (key, tmp_path / "node.key", tmp_path / "secret"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    signer, signed = (x509.load_pem_x509_certificate(path.read_bytes()) for path in (authority, certificate))
    signed.verify_directly_issued_by(signer)
    names = signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"] and [str(found) for found in names.get_values_for_type(x509.IPAddress)] == [LOOPBACK]
    (tmp_path / "other").mkdir()
    with pytest.raises(InvalidSignature):
        signed.verify_directly_issued_by(x509.load_pem_x509_certificate(write_certificates(tmp_path / "other")[0].read_bytes()))


def test_a_superlink_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    authority, *_ = write_certificates(tmp_path)
    with (
        pytest.raises(UserError, match=r"federation\.engine: the SuperLink at 127\.0\.0\.1:\d+ cannot be used"),
        SuperLink(f"{LOOPBACK}:{free_port()}", authority.read_bytes(), None).run(),
    ):
        pass


@pytest.mark.served
def test_a_program_that_does_not_start_is_told_with_its_log(tmp_path: Path) -> None:
    program = Program("superlink", ["flower-superlink", "--no-such-option"], tmp_path)
    with pytest.raises(UserError, match=r"superlink did not start: see .*superlink\.log"):
        program.wait_for(free_port())
    program.end()
    assert "--no-such-option" in program.log.read_text()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"address": "host:1"}, "belong together"),
        ({"root_certificates": __file__}, "belong together"),
        ({"address": "https://host", "root_certificates": __file__}, "pattern"),
        ({"address": "host:1", "root_certificates": "absent.pem"}, "no such file"),
        ({"nodes": 0}, "greater than or equal"),
        ({"on_failure": "retry"}, "complete"),
        ({"layout": "stacked"}, "Extra inputs"),
    ],
)
def test_an_engine_says_what_is_wrong_with_it(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ENGINES.parse({"kind": "flower-deployment", **fields})
