"""The page of a diagnosis has every section, whatever applies."""

import re

import pytest
import torch
from torch import nn

from holonet.diagnostics import Diagnosis, DiagnosisSection, diagnose
from holonet.diagnostics.diagnose import SECTIONS
from holonet.plots import Report, render_report
from holonet.plots.diagnosis import diagnosis_report

TITLES = {
    "Continuation into complex numbers",
    "Harmonicity: logits",
    "Analyticity",
    "Decay of the Taylor coefficients",
    "Dirichlet energy and Jacobian",
    "Robustness",
    "A margin on a complex line",
    "Level sets of a margin",
    "What to try next",
}


def report_on(inputs: int) -> Report:
    x, y = torch.rand(8, inputs), torch.arange(8) % 2
    model = nn.Sequential(nn.Linear(inputs, inputs + 1), nn.Tanh(), nn.Linear(inputs + 1, 2))
    found = diagnose(model, x, y, examples=2, attacked=4, eps=[0.05])
    return diagnosis_report(found, {"seed": 0})


def test_a_report_has_the_figures_and_the_advice() -> None:
    report = report_on(2)
    assert {section.title for section in report.sections} >= TITLES
    assert sum(section.figure is not None for section in report.sections) >= 6
    assert any("docs/diagnose.md" in note for note in report.notes)


@pytest.mark.slow
def test_a_page_shows_the_verdict_the_figures_and_the_advice() -> None:
    page = render_report(report_on(4))
    words = re.sub(r"<[^>]*>|\s+", " ", page)
    assert set(re.findall(r"<h2 id=[^>]*><a[^>]*>([^<]*)", page)) >= TITLES
    assert page.count("<img") >= 6
    assert "docs/diagnose.md" in words
    assert "prefers-color-scheme:dark" in page or "prefers-color-scheme: dark" in page


def test_a_complex_model_has_its_violations_layer_by_layer() -> None:
    class Conjugate(nn.Module):
        def forward(self, z):
            return z.conj()

    model = nn.Sequential(nn.Linear(2, 2, dtype=torch.cfloat), Conjugate())
    found = diagnose(model, torch.rand(4, 2), sections=["holomorphy"])
    titles = [section.title for section in diagnosis_report(found).sections]
    assert titles == ["Holomorphy", "Violation layer by layer", "What to try next"]


def test_sections_that_do_not_apply_say_why() -> None:
    sections = [DiagnosisSection(name, "not applicable", f"no {name} here") for name in SECTIONS]
    report = diagnosis_report(Diagnosis({"model": "Net"}, {}, tuple(sections)))
    texts = " ".join(section.text for section in report.sections)
    for name in SECTIONS:
        assert f"No {name} here." in texts
    render_report(report)
