"""What a paper claims, and how each claim is tested."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from holonet._page import Section
from holonet.errors import DataError
from holonet.studies.evidence import Evidence, Finding
from holonet.studies.results import Results

__all__ = ["Claim", "Standing"]


class Standing(StrEnum):
    """How sure it is that the paper says so."""

    CERTAIN = "certain"
    RECONSTRUCTED = "reconstructed"
    ADDED = "not claimed by the paper"


@dataclass(frozen=True)
class Claim:
    """One sentence that can be wrong, with its test.

    Args:
        key: its name in results.json.
        statement: what is claimed.
        source: where it is from, and what of it is reconstructed.
        test: how it is tested, and what counts as a confirmation.
        evidence: what the results say; a DataError, as `statistics` raises it where no value is
            left, makes the claim not testable.
        figure: the evidence as a title, a figure with its caption, a table, a note; None without.
        standing: how sure it is that the paper says so.
    """

    key: str
    statement: str
    source: str
    test: str
    evidence: Callable[[Results], Evidence]
    figure: Callable[[Results], Section] | None = None
    standing: Standing = Standing.CERTAIN

    def finding(self, results: Results) -> Finding:
        """The verdict of these results."""
        try:
            return self.evidence(results).finding(self.key)
        except DataError as error:
            return Evidence(remark=f"Too little is left: {error}.").finding(self.key)

    def section(self, results: Results) -> Section:
        """The figure of these results; the key alone where there is none, or too little is left."""
        try:
            return self.figure(results) if self.figure else Section(self.key)
        except DataError:
            return Section(self.key)

    def to_json(self) -> dict[str, str]:
        """The texts."""
        texts = ("key", "statement", "source", "test", "standing")
        return {name: str(getattr(self, name)) for name in texts}
