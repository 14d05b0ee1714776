"""The form of a deployment on Prefect's page, filled in as a person does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.pipelines.served import Served

TRIES = 3
"""SQLite may be busy for a moment; the page then says so, and a person presses Submit again."""
LABEL = ".schema-form-property__label"


@dataclass(frozen=True)
class Field:
    """A field, or the whole form, in which fields are found by the title above them."""

    place: Locator

    def field(self, title: str) -> Field:
        pattern = rf"^{re.escape(title)}( \(Optional\))?$"
        return Field(self.place.locator(".schema-form-property", has=self.place.page.locator(f"xpath=./*[1]//*[{_class('schema-form-property__label')}]").filter(has_text=re.compile(pattern))).first)

    def choose(self, choice: str) -> Field:
        """Take one of the alternatives of this field."""
        self.place.locator("> .p-label__body > .p-button-group").get_by_role("button", name=choice, exact=True).click()
        return self

    def fill(self, value: str) -> None:
        self.place.locator("textarea, input:not([type=checkbox])").first.fill(value)
