"""The independent check of all certificates of a run: files, and a record of each."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from holonet._optional import require
from holonet._types import GivenLabels, GivenPoints
from holonet.certify.enclosure import Semantics
from holonet.certify.files import save_certificate, save_network
from holonet.certify.ladder import certify
from holonet.certify.methods import Method
from holonet.certify.records import Records
from holonet.threats import ThreatModel

__all__ = ["Confirmation"]


class Confirmation:
    """The check of `certify.check` on certificates of one network, as files in a folder.

    Args:
        model: whose network is written at once.
        x: an example with its batch axis, for its shape.
        folder: of the network and the certificates; made if it does not exist.

    Raises:
        InputTypeError: files do not hold this network; the message names the layer.
        MissingDependencyError: python-flint is not installed.
    """

    def __init__(self, model: nn.Module, x: GivenPoints, folder: Path) -> None:
        require("flint", "python-flint", "check", "The independent check of certificates")
        from holonet.certify import check

        folder.mkdir(parents=True, exist_ok=True)
        self.model, self.folder, self._check = model, folder, check
        path = folder / "network.npz"
        self._digest = save_network(model, x, path)
        self._network = check.Network(str(path))
        source = Path(check.__file__).read_bytes()
        self._settings = {
            "network": self._digest,
            "check": hashlib.sha256(source).hexdigest(),
        }

    def confirm(
        self,
        x: GivenPoints,
        y: GivenLabels,
        threat: ThreatModel,
        methods: Sequence[Method],
        semantics: Semantics,
        certified: Sequence[Mapping[str, Any]],
        name: str,
        on_example: Callable[[int], None],
    ) -> list[dict[str, Any]]:
        """A record for each certified example: whether it is confirmed, and words of the check.

        The example is certified once more, by the method of its record, for the witness. What was
        confirmed before is not done again; what was not is.

        Args:
            x, y, threat, methods, semantics: as `certify_recorded` took them.
            certified: its records of the examples that are certified.
            name: of the files of these certificates, in front of the number of the example.
            on_example: called with 1 behind each example.
        """
        by_name = {method.name: method for method in methods}
        records = Records(self.folder / f"{name}.jsonl", self._settings)
        found = []
        for certificate in certified:
            key = {**certificate["key"], "method": certificate["method"]}
            record = records.find(key)
            if record is None or not record["confirmed"]:
                start, index = time.perf_counter(), certificate["key"]["index"]
                at = torch.tensor([index])
                (proof,) = certify(
                    self.model, x[at], y[at], threat, [by_name[key["method"]]], semantics
                )
                holds, words = False, "the method does not prove it again"
                if proof.holds:
                    path = self.folder / f"{name}-{index}.npz"
                    save_certificate(proof, x[at], self._digest, path)
                    holds, words = self._outcome(path)
                seconds = round(time.perf_counter() - start, 4)
                records.append(key, confirmed=holds, words=words, seconds=seconds)
                record = {"key": key, "confirmed": holds, "words": words, "seconds": seconds}
            found.append(record)
            on_example(1)
        return found

    def _outcome(self, path: Path) -> tuple[bool, str]:
        try:
            return self._check.confirm(self._network, str(path))
        except self._check.RefusalError as error:
            return False, str(error)
