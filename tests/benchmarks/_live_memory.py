"""The most bytes of tensors that are alive at once while something runs."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class LiveMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside it every storage that an operation takes or gives is counted, as large as the operation leaves it, until nobody holds it.

    ``now`` and ``peak`` are in bytes. Autograd on a processor works in the thread that asks it, so backward passes are seen, and what they keep is held.
    Not seen: what a kernel has for itself while it runs, as torch's fused LSTM does, and tensors that no operation has touched yet.

    Args:
        standing: tensors that are not counted, as a network's parameters.
    """

    def __init__(self, standing: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._standing = [value.untyped_storage() for value in standing]  # held, for an address that is free is given to another
        self._left_out = {storage._cdata for storage in self._standing}
        self._known: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        """Run an operation, and count what it took and gave."""
        found = func(*args, **(kwargs or {}))
        for value in tree_iter((args, kwargs, found)):
            if isinstance(value, Tensor):
                self._count(value.untyped_storage())
        self.peak = max(self.peak, self.now)
        return found

    def _count(self, storage: torch.UntypedStorage) -> None:
        name, size = storage._cdata, storage.nbytes()
        if name in self._left_out:
            return
        if name not in self._known:
            weakref.finalize(storage, self._gone, name)
        self.now += size - self._known.get(name, 0)
        self._known[name] = size

    def _gone(self, name: int) -> None:
        self.now -= self._known.pop(name)
