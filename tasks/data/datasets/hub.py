"""A dataset of the Hugging Face hub, by its path and revision."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, model_validator

from tasks.core.roots import check_source
from tasks.data.columns import Columns
from tasks.data.dataset import DataError, Dataset, RawData, Task


class Hub(Dataset):
    """A hub dataset with the splits ``train`` and ``test`` (and perhaps ``validation``), or a share of train as test."""

    tasks: ClassVar[tuple[Task, ...]] = ("intent", "joint", "tagging", "qa", "seq2seq", "lm", "mlm")

    kind: Literal["hub"]
    path: str = Field(description="Name on the hub, e.g. clinc/clinc_oos.")
    config: str | None = Field(default=None, description="Configuration of the dataset, e.g. plus.")
    revision: str = Field(default="main", description="Branch, tag or commit; its commit enters the key.")
    train: str = Field(default="train", description="Name of the split to train on.")
    validation: str | None = Field(default=None, description="Name of the split for early stopping.")
    test: str | float = Field(default="test", description="Name of the split to test on, or a share of train.")
    columns: Columns = Field(description="Which column is what.")

    @model_validator(mode="after")
    def _columns_fit(self, info: ValidationInfo) -> Hub:
        check_source(self.path, info)  # the library would also take a folder of this machine
        unfit = self.columns.unfit(self.resolved_task)
        if unfit:
            raise ValueError(unfit)
        return self

    @property
    def has_groups(self) -> bool:
        """Where a column is named for them."""
        return self.columns.group is not None

    def content_digest(self) -> str:
        """The commit that the revision stands for now. Raises DataError without a network and without a cached copy."""
        from huggingface_hub import HfApi

        if len(self.revision) == 40:
            return self.revision
        try:
            return str(HfApi().dataset_info(self.path, revision=self.revision).sha)
        except Exception as error:
            advice = "give the full commit as revision to work without a network"
            raise DataError(f"hub dataset {self.path}@{self.revision} cannot be looked up ({type(error).__name__}); {advice}") from error

    def load(self, cache: Path) -> RawData:
        """Download through the hub's own cache, below the catalogue's folder."""
        import datasets

        try:
            found = datasets.load_dataset(self.path, self.config, revision=self.content_digest(), cache_dir=str(cache / "hub"))
        except Exception as error:
            raise DataError(f"hub dataset {self.path}: {str(error).splitlines()[0][:200]}") from error
        return RawData(self._splits(found), {"hub": self.path, "config": self.config, "revision": self.revision})

    def _splits(self, found: Any) -> dict[str, Any]:
        from tasks.data.columns import named_records, share_as_test

        def records(split: str) -> Any:
            if split not in found:
                raise DataError(f"hub dataset {self.path} has no split '{split}'; it has {', '.join(found)}")
            features = found[split].features
            frame = found[split].to_pandas()
            for column, feature in features.items():
                if hasattr(feature, "int2str"):
                    frame[column] = [feature.int2str(int(value)) for value in frame[column]]
            return named_records(frame, self.columns, f"{self.path}, split {split}")

        splits = {"train": records(self.train)}
        if self.validation is not None:
            splits["validation"] = records(self.validation)
        if isinstance(self.test, float):
            splits["train"], splits["test"] = share_as_test(splits["train"], self.test)
        else:
            splits["test"] = records(self.test)
        return splits
