"""Prefect's page as a person uses it: the form filled in and submitted, the graph of a run, its verdict and its links."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.pages.browsing import PATIENCE, Browser
from tests.pages.conftest import Quickstart
from tests.pipelines.faults import wait_for
from tests.pipelines.served import Served

pytestmark = [pytest.mark.served, pytest.mark.timeout(900)]

TRIES = 3


def form(chromium: Browser, up: Served, size: tuple[int, int] = (1300, 760)) -> Page:
    """The form of dp-training/default."""
    deployment = up.get("deployments/name/dp-training/default")["id"]
    page = chromium.open(f"{up.state['prefect_page']}/deployments/deployment/{deployment}/run", size)
    expect(page.get_by_text("A study's YAML file below the worker's ASSAY_HOME, e.g. specs/quickstart.yaml, or the study itself.")).to_be_visible()
    return page


def submitted(page: Page, up: Served) -> str:
    """Press Submit; the flow run, whose page is opened. SQLite may be busy for a moment, and a person then presses again."""

    def runs() -> set[str]:
        deployment = up.get("deployments/name/dp-training/default")["id"]
        return {str(run["id"]) for run in up.post("flow_runs/filter", {"deployments": {"id": {"any_": [deployment]}}, "limit": 200})}

    known = runs()
    for _ in range(TRIES):
        page.get_by_role("button", name="Submit").click()
        if wait_for(lambda: runs() - known, 10):
            break
    new = runs() - known
    assert len(new) == 1, "the form submitted nothing, or twice"
    run = new.pop()
    page.goto(f"{up.state['prefect_page']}/runs/flow-run/{run}")
    return run


def test_the_readme_s_command_ends_completed(quickstart: Quickstart) -> None:
    assert "Flow run finished successfully in 'Completed'" in quickstart.said
    assert "9 trials" in quickstart.said, "what came of it is not said"


def test_the_form_says_what_it_asks_and_is_filled_in(chromium: Browser, up: Served) -> None:
    page = form(chromium, up)
    for text in ("File", "Form", "Overrides", "How to run; overrides the study's own block and changes no result."):
        expect(page.get_by_text(text, exact=True).first).to_be_visible()
    page.locator("textarea:enabled").first.fill("specs/small.yaml")
    chromium.picture("prefect_form_file")
    run = submitted(page, up)
    assert up.ended(run)["type"] == "COMPLETED" and up.flow_run(run)["parameters"]["study"] == "specs/small.yaml"


def test_a_study_is_made_in_the_form(chromium: Browser, up: Served) -> None:
    page = form(chromium, up, (1300, 1000))
    page.get_by_text("Form", exact=True).click()
    expect(page.get_by_text("Name of the experiment: a-z, 0-9 and '-'.")).to_be_visible()
    page.locator("textarea:enabled").first.fill("made-in-the-form")
    page.get_by_text("synthetic-assistant", exact=True).click()
    page.get_by_text("bilstm", exact=True).first.click()
    expect(page.get_by_text("The architecture and its tokenizer.")).to_be_visible()
    page.get_by_text("A study's YAML file below the worker's ASSAY_HOME, e.g. specs/quickstart.yaml, or the study itself.").scroll_into_view_if_needed()
    chromium.picture("prefect_form")
    run = submitted(page, up)
    state = up.ended(run)
    assert state["type"] == "COMPLETED", state
    study = up.flow_run(run)["parameters"]["study"]
    assert (study["kind"], study["name"], study["data"]["kind"], study["model"]["kind"]) == (
        "dp-training",
        "made-in-the-form",
        "synthetic-assistant",
        "bilstm",
    )


def test_what_is_wrong_in_the_form_is_said_on_the_run_s_page(chromium: Browser, up: Served) -> None:
    page = form(chromium, up)
    page.locator("textarea:enabled").first.fill("specs/smal.yaml")
    run = submitted(page, up)
    assert up.ended(run)["type"] == "FAILED"
    expect(page.get_by_text("specs/smal.yaml").first).to_be_visible()
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()


def test_the_graph_the_steps_and_the_verdict_of_a_run(chromium: Browser, up: Served, quickstart: Quickstart) -> None:
    page = chromium.open(f"{up.state['prefect_page']}/runs/flow-run/{quickstart.flow_run}", (1300, 860))
    expect(page.get_by_text("78 Task runs")).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()
    page.get_by_role("tab", name="Task Runs").or_(page.get_by_text("Task Runs", exact=True)).first.click()
    expect(page.get_by_text(re.compile(r"train (plain|eps-8|eps-1) seed \d")).first).to_be_visible()
    page.get_by_text("Artifacts", exact=True).last.click()
    expect(page.get_by_text("quickstart-progress").first).to_be_visible()
    page.wait_for_timeout(2000)  # the graph settles
    chromium.picture("prefect_run")
    page.get_by_text("quickstart-verdict").first.click()
    expect(page.get_by_text("What does privacy cost an assistant's model").first).to_be_visible()
    expect(page.get_by_text("simulated: example-level (8,").first).to_be_visible()
    chromium.picture("prefect_verdict")


def test_the_graph_has_every_edge(up: Served, quickstart: Quickstart) -> None:
    nodes = {node["id"]: node for _, node in up.get(f"flow_runs/{quickstart.flow_run}/graph-v2")["nodes"]}
    stands_on = {node["label"]: {nodes[parent["id"]]["label"].split()[0] for parent in node["parents"]} for node in nodes.values()}
    assert len(stands_on) == 78
    assert all(on == {"prepare"} for label, on in stands_on.items() if label.startswith("train"))
    assert all({"train", "predict"} <= on for label, on in stands_on.items() if label.startswith("accuracy "))


def test_the_run_links_to_the_parent_in_mlflow(chromium: Browser, up: Served, quickstart: Quickstart) -> None:
    link = str(up.artifacts(quickstart.flow_run)["quickstart-mlflow-run"]["data"])
    address = re.search(r"http://[^)\s]+", link)
    assert address is not None and quickstart.parent in address[0]
    page = chromium.open(address[0])
    expect(page.get_by_text("Privacy at epsilon 8 costs under five points of accuracy").first).to_be_visible(timeout=PATIENCE)
