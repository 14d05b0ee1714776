"""MLflow's page as a person uses it: parent and children, metrics by name, two arms in a chart, the report among the artifacts."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.pages.browsing import Browser
from tests.pages.conftest import Quickstart
from tests.pipelines.served import Served

pytestmark = [pytest.mark.served, pytest.mark.timeout(900)]


def experiment(chromium: Browser, up: Served, quickstart: Quickstart, query: str = "") -> Page:
    """The runs of the study, without the page's assistant."""
    page = chromium.open(f"{up.state['mlflow_page']}/#/experiments/{quickstart.experiment}/runs{query}", (1400, 820))
    expect(page.get_by_text("matching runs")).to_be_visible()
    close = page.get_by_role("button", name="Close")
    if close.count():
        close.last.click()
    return page


def grouped(page: Page) -> None:
    """Group the runs by their arm, unless the page remembers that from before."""
    if not page.get_by_text("Group by: arm").count():
        page.get_by_text("Group by").first.click()
        page.get_by_text("arm", exact=True).first.click()
    expect(page.get_by_text("Group: eps-8")).to_be_visible()


def test_parent_and_children_stand_under_their_names(chromium: Browser, up: Served, quickstart: Quickstart) -> None:
    page = experiment(chromium, up, quickstart)
    expect(page.get_by_text("10 matching runs")).to_be_visible()
    expect(page.get_by_text("synthetic-assistant").first).to_be_visible()
    grouped(page)
    for name in ("plain seed 0", "eps-8 seed 1", "eps-1 seed 2"):
        expect(page.get_by_text(name, exact=True)).to_be_visible()


def test_a_child_has_the_metrics_of_the_design_and_a_description(chromium: Browser, up: Served, quickstart: Quickstart) -> None:
    child = next(run for run in up.runs("quickstart") if run.data.tags.get("arm") == "eps-8" and run.data.tags.get("seed") == "0")
    page = chromium.open(f"{up.state['mlflow_page']}/#/experiments/{quickstart.experiment}/runs/{child.info.run_id}", (1400, 2600))
    expect(page.get_by_text("eps-8 seed 0").first).to_be_visible()
    expect(page.get_by_text("Guarantee: simulated: example-level (8,").first).to_be_visible()
    for name in ("utility/accuracy", "utility/accuracy_low", "privacy/epsilon", "privacy/loss_threshold/auc", "fairness/accuracy/difference"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    chromium.picture("mlflow_child")


def test_two_arms_are_compared_in_a_chart(chromium: Browser, up: Served, quickstart: Quickstart) -> None:
    page = experiment(chromium, up, quickstart, "?compareRunsMode=CHART")
    grouped(page)
    page.get_by_placeholder("Search metric charts").fill("utility/accuracy$")
    expect(page.get_by_text("utility/accuracy", exact=True).first).to_be_visible()
    for arm in ("plain", "eps-8"):
        expect(page.get_by_text(f"Group: {arm}")).to_be_visible()
        expect(page.get_by_text(arm, exact=True).locator("visible=true").first).to_be_visible()  # of the chart's legend
    page.wait_for_timeout(2000)  # the bars grow
    chromium.picture("mlflow_runs")


def test_the_report_is_read_among_the_artifacts(chromium: Browser, up: Served, quickstart: Quickstart) -> None:
    run = f"{up.state['mlflow_page']}/#/experiments/{quickstart.experiment}/runs/{quickstart.parent}"
    page = chromium.open(f"{run}/artifacts/comparison/report.html")
    report = page.frame_locator("iframe").last
    expect(report.get_by_text("What does privacy cost an assistant's model").first).to_be_visible()
    expect(report.get_by_text("Privacy at epsilon 8 costs under five points of accuracy").first).to_be_visible()
    expect(report.locator("svg").first).to_be_attached()
    chromium.picture("mlflow_report")
    expect(page.get_by_text("plots", exact=True)).to_be_visible()


def test_the_report_by_itself(chromium: Browser, up: Served, quickstart: Quickstart) -> None:
    page = chromium.open((up.home.folder / "mlruns" / "reports" / "quickstart" / "report.html").as_uri(), (1100, 1500))
    expect(page.get_by_text("Answer").first).to_be_visible()
    chromium.picture("report")
