"""What `diagnose` finds: sections of plain numbers with an answer each, a verdict, and advice."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from holonet._arguments import checked
from holonet._page import strict_json
from holonet.errors import UnknownNameError

__all__ = ["HOW_TO", "Answer", "Diagnosis", "DiagnosisSection", "sentence"]

HOW_TO = "docs/diagnose.md"
"""The page that explains each number and what to change."""

Answer = Literal["yes", "no", "undecided", "measured", "drawn", "not applicable"]


@dataclass(frozen=True)
class DiagnosisSection:
    """One question about a model, with its answer.

    Args:
        name: of the section, a key of `diagnostics.SECTIONS`.
        answer: "yes", "no" or "undecided" where it is a yes-no question, "measured" for numbers,
            "drawn" for pictures, "not applicable" where the verdict says why.
        verdict: the answer in words, with its uncertainty.
        lines: numbers in words.
        advice: what to try next.
        worst: positions of the examples that stand out, the worst first.
        numbers: everything in plain types; figures are drawn from it.
    """

    name: str
    answer: Answer
    verdict: str
    lines: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    worst: tuple[int, ...] = ()
    numbers: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """All fields in plain types, numbers that are not finite as None."""
        return strict_json(asdict(self))

    @classmethod
    @checked
    def from_json(cls, content: Mapping[str, Any]) -> "DiagnosisSection":
        """The section that `to_json` wrote."""
        parts = {name: tuple(content[name]) for name in ("lines", "advice", "worst")}
        return cls(**{**content, **parts})

    def text(self) -> str:
        """The section in words."""
        lines = [f"{self.name}: {self.verdict}", *(f"  {line}" for line in self.lines)]
        return "\n".join(lines)


@dataclass(frozen=True)
class Diagnosis:
    """What a model is, section by section.

    Args:
        subject: the name, type and size of the model, its data and its baseline.
        settings: of the call.
        sections: in their order.
    """

    subject: Mapping[str, Any]
    settings: Mapping[str, Any]
    sections: tuple[DiagnosisSection, ...]

    @checked
    def __getitem__(self, name: str) -> DiagnosisSection:
        """The section of that name.

        Raises:
            UnknownNameError: there is none.
        """
        for section in self.sections:
            if section.name == name:
                return section
        raise UnknownNameError("section", name, [section.name for section in self.sections])

    @property
    def verdict(self) -> str:
        """The verdicts of all sections that apply, one paragraph each."""
        silent = ("drawn", "not applicable")
        applying = [one for one in self.sections if one.answer not in silent]
        return "\n\n".join(sentence(one.verdict) for one in applying or self.sections)

    @property
    def advice(self) -> tuple[str, ...]:
        """What to try next, each once."""
        return tuple(dict.fromkeys(line for one in self.sections for line in one.advice))

    def text(self) -> str:
        """Everything in words: the subject, each section, the worst examples, and advice."""
        about = "; ".join(f"{key}: {value}" for key, value in self.subject.items())
        lines = [about, *(one.text() for one in self.sections)]
        worst = {one.name: one.worst for one in self.sections if one.worst}
        lines += [
            f"worst examples, {name}: {', '.join(map(str, at[:5]))}" for name, at in worst.items()
        ]
        lines += [f"try: {line}" for line in self.advice]
        return "\n".join([*lines, f"How to read this: {HOW_TO}"])

    def __str__(self) -> str:
        return self.text()

    def to_json(self) -> dict[str, Any]:
        """Everything in plain types."""
        return strict_json(
            {
                "subject": dict(self.subject),
                "verdict": self.verdict,
                "advice": self.advice,
                "sections": {one.name: one.to_json() for one in self.sections},
                "settings": dict(self.settings),
            }
        )


def sentence(text: str) -> str:
    """The text with a capital in front and a full stop behind."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
