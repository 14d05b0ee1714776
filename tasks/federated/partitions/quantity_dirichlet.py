"""Quantity skew by a Dirichlet distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.core.seeds import numpy_generator
from tasks.federated.partition import Partition

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class QuantityDirichlet(Partition):
    """Devices differ in how much they hold and in nothing else: sizes from Dirichlet(beta, ..., beta) over shuffled records.

    ``minimum_examples`` go to every device first; the shares are of what is left (Lin et al., Findings of NAACL 2022).
    """

    kind: Literal["quantity-dirichlet"]
    devices: int = Field(gt=0, description="Number of devices.")
    beta: float = Field(gt=0, le=1e9, description="Concentration: the smaller, the more a few devices hold.")
    minimum_examples: int = Field(default=1, ge=1, description="Records that every device holds at least.")

    def assign(self, records: pd.DataFrame, seed: int) -> NDArray[np.object_]:
        """Sizes, then a shuffled deal."""
        import numpy as np

        from tasks.federated.partitions._naming import check, named

        check(self.kind, records, (), self.devices, self.minimum_examples)
        generator = numpy_generator(seed, "partition")
        rest = len(records) - self.devices * self.minimum_examples
        shares = np.full(self.devices, 1.0) if self.devices == 1 else generator.dirichlet(np.full(self.devices, self.beta))
        ends = np.floor(np.cumsum(shares) / shares.sum() * rest + 0.5).astype(np.int64)
        ends[-1] = rest
        sizes = self.minimum_examples + np.diff(ends, prepend=0)
        return named(generator.permutation(np.repeat(np.arange(self.devices), sizes)), self.devices)
