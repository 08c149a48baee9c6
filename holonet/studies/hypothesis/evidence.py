"""Effects with simultaneous intervals and tests; verdicts corrected for the number of claims."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import torch

from holonet.errors import DataError
from holonet.statistics import (
    Interval,
    PValues,
    fewest_pairs,
    holm,
    mean_interval,
    pair_correlation,
    pair_test,
    rank_correlation,
    sign_flip_test,
    standardized_effect,
    student_test,
)
from holonet.studies.evidence import Criterion, Evidence, Finding, Verdict
from holonet.studies.hypothesis.settings import ACTIVATIONS, ANALYTIC, PIECEWISE, RULES
from holonet.studies.results import Results, by_seed, cells_where

__all__ = [
    "CLAIMS_STATED", "CORRECTED", "LEVEL", "Effect", "Effects", "analytic_activations",
    "complex_coefficients", "harmonic_transfer", "judged", "mixtures", "population",
]  # fmt: skip

LEVEL = 0.05
"""Of one false confirmation among all claims."""

CLAIMS_STATED = 7
"""Claims that are corrected for, whether or not all are run."""

CORRECTED = LEVEL / CLAIMS_STATED

POINT = 0.01
"""The least difference of accuracies that counts."""

CORRELATION = 0.2
"""The least rank correlation that counts."""

PERMUTATIONS, RESAMPLES = 9999, 1000
"""Of the tests, and of the bootstrap over networks."""

Group = Sequence[Mapping[int, float]]
"""Robust accuracies by seed, of networks whose mean counts."""

Groups = tuple[Group, Group]


@dataclass(frozen=True)
class Effect:
    """A quantity that is claimed to be at least `least`.

    Args:
        interval: simultaneous, at the level of one among all claims.
        test: one-sided, uncorrected.
        least: the least that counts.
        note: of the effect, for a reader.
    """

    interval: Interval
    test: PValues
    least: float
    note: str = ""

    @property
    def factor(self) -> int:
        """100 for differences of accuracies, which are written in points."""
        return 100 if self.least == POINT else 1

    def number(self, value: float | int, form: str = ".2f") -> str:
        """A value of the quantity with its unit."""
        return f"{self.factor * value:{form}}{' points' * (self.factor == 100)}"

    @property
    def text(self) -> str:
        """The number, its interval and its p-value."""
        unit = " points" * (self.factor == 100)
        shown = self.interval.scaled(self.factor).text(2, unit)
        note = f", {self.note}" if self.note else ""
        return f"{shown}, p {self.test.above:.2g} by {self.test.method}{note}"

    @property
    def short(self) -> str:
        """The same for the table of verdicts."""
        i, form = self.interval, "+.1f" if self.factor == 100 else "+.2f"
        low, high = (f"{self.factor * end:{form}}" for end in i.ends)
        return f"{self.number(i.estimate, form)} ({low} to {high})"


@dataclass(frozen=True)
class Effects:
    """What a claim rests on: all of `tested` must hold; `beside` decides nothing."""

    tested: Mapping[str, Effect]
    beside: Mapping[str, Interval] = field(default_factory=dict)
    remark: str = ""

    @property
    def evidence(self) -> Evidence:
        """The intervals with the least that counts, uncorrected, for a figure."""
        tests = [
            Criterion({name: e.interval}, "above", e.least, e.factor)
            for name, e in self.tested.items()
        ]
        return Evidence(tests, {name: i for name, i in self.beside.items() if i.is_finite})


def judged(
    tests: Mapping[str, Callable[[Results], Effects]], results: Results, chosen: Sequence[str]
) -> tuple[Finding, ...]:
    """A finding for each claim, corrected for all that were stated.

    A claim holds if all of its effects do, so that its p-value is the largest of them. Those of
    the claims are corrected by Holm's method for the number stated.

    Confirmed: the corrected p-value is at most `LEVEL`, and every estimate at least what counts.
    Refuted: an interval lies below what counts. Undecided: neither.
    """
    found: dict[str, Effects] = {}
    missing: dict[str, str] = {}
    for key, test in tests.items():
        try:
            if key not in chosen:
                raise DataError("it was not chosen for this run")
            found[key] = test(results)
        except DataError as error:
            missing[key] = f"Not tested: {error}."
    p_values = {key: max(e.test.above for e in f.tested.values()) for key, f in found.items()}
    corrected = holm(p_values, CLAIMS_STATED)
    return tuple(
        _finding(key, found[key], corrected[key])
        if key in found
        else Finding(key, Verdict.NOT_TESTABLE, {}, missing[key])
        for key in tests
    )


def _finding(key: str, effects: Effects, corrected: float) -> Finding:
    tested = effects.tested
    small = [name for name, e in tested.items() if e.interval.estimate < e.least]
    below = [name for name, e in tested.items() if e.interval.is_below(e.least)]
    if below:
        verdict = Verdict.REFUTED
    elif corrected <= LEVEL and not small:
        verdict = Verdict.CONFIRMED
    else:
        verdict = Verdict.UNDECIDED
    texts = [f"{name}: {effect.text}." for name, effect in tested.items()]
    texts.append(f"Corrected for {CLAIMS_STATED} claims p is {corrected:.2g}.")
    return Finding(
        key,
        verdict,
        {name: asdict(i) for name, i in effects.evidence.intervals.items()},
        " ".join([*texts, effects.remark]).strip(),
        effect="; ".join(f"{name} {effect.short}" for name, effect in tested.items()),
        otherwise=_otherwise(tested, corrected, verdict, small, below),
    )


def _otherwise(
    tested: Mapping[str, Effect],
    corrected: float,
    verdict: Verdict,
    small: list[str],
    below: list[str],
) -> str:
    """What would have changed the verdict."""
    if verdict is Verdict.CONFIRMED:
        near = min(tested.values(), key=lambda e: e.interval.estimate - e.least)
        return (
            f"Undecided if the corrected p-value had been above {LEVEL} (it is {corrected:.2g}), "
            f"or an effect below {near.number(near.least)} (the nearest is "
            f"{near.number(near.interval.estimate)}); refuted if an interval lay below that."
        )
    least = {name: e.number(e.least) for name, e in tested.items()}
    ends = {name: e.number(e.interval.high) for name, e in tested.items()}
    if verdict is Verdict.REFUTED:
        short = "; ".join(f"{n}, which ends at {ends[n]}" for n in below)
        return f"Undecided if these intervals had reached {least[below[0]]}: {short}."
    reasons = [f"a corrected p-value of at most {LEVEL} (it is {corrected:.2g})"]
    reasons *= corrected > LEVEL
    reasons += [
        f"{n} of at least {least[n]} (it is {tested[n].number(tested[n].interval.estimate)})"
        for n in small
    ]
    wide = ", ".join(f"{n} ends at {ends[n]}, not below {least[n]}" for n in tested)
    return f"Confirmed with {' and '.join(reasons)}. Not refuted, since {wide}."


def paired(differences: Sequence[float]) -> Effect:
    """The mean difference over seeds, tested by flipping signs, or by Student's t if too few.

    Raises:
        DataError: fewer than 2 seeds have both.
    """
    if len(differences) < 2:
        raise DataError(
            f"{len(differences)} seeds have both networks, an interval needs at least 2, and a "
            f"permutation test at the corrected level {fewest_pairs(CORRECTED)}"
        )
    interval = mean_interval(differences, 1 - CORRECTED)
    size = f"{standardized_effect(differences):.1f} standard deviations"
    try:
        return Effect(interval, sign_flip_test(differences, level=CORRECTED), POINT, size)
    except DataError:
        enough = fewest_pairs(CORRECTED)
        note = f"{size}; a permutation test at the corrected level needs {enough} seeds, so that "
        note += "normal differences are assumed"
        return Effect(interval, student_test(differences), POINT, note)


def _main(results: Results, **wanted: object) -> dict[int, float]:
    """Of single networks of the largest widths, at equal parameters where nothing else is said."""
    widths = max((r["hidden"] for r in cells_where(results, part="member")), default=[])
    single = {"part": "member", "hidden": widths, "experts": 1, "match": "parameters"}
    return by_seed(results, "robust", **(single | wanted))


def _differences(*groups: Group) -> list[float]:
    """The mean of the first group minus that of the second, by seed that all have."""
    if not all(groups):
        return []
    seeds = sorted(set.intersection(*(set(one) for group in groups for one in group)))
    first, second = ([math.fsum(o[s] for o in g) / len(g) for s in seeds] for g in groups)
    return [a - b for a, b in zip(first, second, strict=True)]


def _comparison(
    tested: Mapping[str, Groups],
    each: Mapping[str, Groups],
    controls: Mapping[str, Groups] | None,
    left_out: Iterable[str] = (),
) -> Effects:
    """The mean of the first of two groups minus that of the second.

    Args:
        tested: what decides.
        each: what is shown.
        controls: what is shown, and written in the remark; None for a claim without any.
        left_out: activations that the claim states, and that have no results.
    """
    shown = {**each, **(controls or {})}
    own = {name: mean_interval(d) for name, two in shown.items() if (d := _differences(*two))}
    texts = [f"{n}: {own[n].scaled(100).text(1, ' points')}" for n in controls or () if n in own]
    remarks = [f"Controls: {'; '.join(texts)}." if texts else "Controls were not run."]
    remarks *= controls is not None
    if names := ", ".join(left_out):
        remarks.append(f"Stated and not run: {names}.")
    effects = {name: paired(_differences(*two)) for name, two in tested.items()}
    return Effects(effects, own, " ".join(remarks))


def analytic_activations(results: Results) -> Effects:
    """H1a: analytic minus piecewise activations under the linearized rule."""

    def groups(rule: str, *activations: str) -> dict[str, Mapping[int, float]]:
        wanted = {"coefficients": "real", "rule": rule}
        accuracies = {name: _main(results, activation=name, **wanted) for name in activations}
        return {name: own for name, own in accuracies.items() if own}

    def two(rule: str) -> Groups:
        analytic, piecewise = (groups(rule, *names).values() for names in (ANALYTIC, PIECEWISE))
        return [*analytic], [*piecewise]

    run, (_, piecewise) = groups("linearized", *ACTIVATIONS), two("linearized")
    left_out = [name for name in ACTIVATIONS if name not in run]
    sides = (", ".join(name for name in run if name in names) for names in (ANALYTIC, PIECEWISE))
    name = " minus ".join(sides if left_out else ("analytic", "piecewise"))
    return _comparison(
        {name: two("linearized")},
        {name: ([own], piecewise) for name, own in run.items()},
        {f"analytic, {rule} training": two(rule) for rule in RULES[1:]},
        left_out,
    )


def complex_coefficients(results: Results) -> Effects:
    """H1b: complex minus real coefficients, at equal parameters and at equal multiply-adds."""
    kinds = (("complex", "parameters"), ("real", "parameters"), ("real", "macs"))
    run = {}
    for name in ANALYTIC:
        wanted = {"activation": name, "rule": "linearized"}
        own = [_main(results, coefficients=c, match=match, **wanted) for c, match in kinds]
        run |= {name: own} if all(own) else {}
    left_out = [name for name in ANALYTIC if name not in run]
    alone, tested, each = f" ({', '.join(run)} alone)" if left_out else "", {}, {}
    for number, words in ((1, "equal parameters"), (2, "equal multiply-adds")):
        tested[words + alone] = (
            [own[0] for own in run.values()],
            [own[number] for own in run.values()],
        )
        each |= {f"{name}, {words}": ([own[0]], [own[number]]) for name, own in run.items()}
    return _comparison(tested, each, None, left_out)


def mixtures(results: Results) -> Effects:
    """H4: a mixture of holomorphic experts minus one holomorphic network of the same size."""

    def kind(coefficients: str, regions: str = "") -> list[Mapping[int, float]]:
        wanted = {"experts": 4, "regions": regions} if regions else {}
        options = {"coefficients": coefficients, "rule": "linearized", **wanted}
        return [_main(results, activation="square", **options)]

    mixture = kind("complex", "k-means")
    controls = {
        "regions of k-means minus random ones": (mixture, kind("complex", "random")),
        "real experts minus one real network": (kind("real", "k-means"), kind("real")),
    }
    return _comparison({"mixture minus one network": (mixture, kind("complex"))}, {}, controls)


def population(measure: str, sign: int) -> Callable[[Results], Effects]:
    """H2: robust accuracy goes with a measure of the networks; sign -1 if with smaller ones."""

    def evidence(results: Results) -> Effects:
        rows = cells_where(results, part="measures")
        x = [sign * r[measure] for r in rows]
        y, rules = [r["robust"] for r in rows], [r["rule"] for r in rows]
        conditions = {
            "all networks": ([], None),
            "within rules": ([], rules),
            "within rules, first-order distance given": ([[r["first_order"] for r in rows]], rules),
        }
        tested = {}
        for name, (given, groups) in conditions.items():
            level = {"confidence": 1 - CORRECTED, "resamples": PERMUTATIONS}
            found = rank_correlation(x, y, given, groups, **level)
            tested[name] = Effect(found.interval, found.test, CORRELATION)
        beside = {}
        for rule in RULES:
            own = cells_where(results, part="measures", rule=rule)
            if len(own) > 5:
                columns = [sign * r[measure] for r in own], [r["robust"] for r in own]
                beside[f"{rule} alone"] = rank_correlation(*columns, resamples=1).interval
        texts = "; ".join(f"{name}: {i.text(2)}" for name, i in beside.items())
        remark = f"{len(rows)} networks. Beside: {texts}."
        return Effects(tested, beside, remark)

    return evidence


def harmonic_transfer(results: Results) -> Effects:
    """H3: transfer goes with the agreement of harmonic parts, given other agreement."""
    tables = cells_where(results, part="transfer")
    if not tables:
        raise DataError("the transfer between networks was not measured")
    names = ("harmonic", "rates", "answers", "logits", "gradients")
    x, rates, answers, logits, gradients = (torch.tensor(tables[0][name]) for name in names)
    own = rates.diagonal()
    vulnerable = [own.unsqueeze(1).expand_as(rates), own.expand_as(rates)]
    controls = {
        "clean agreement given": [answers, logits],
        "clean agreement and own attacks given": [answers, logits, *vulnerable],
    }
    tested = {
        name: Effect(
            pair_correlation(x, rates, given, confidence=1 - CORRECTED, resamples=RESAMPLES),
            pair_test(x, rates, given, resamples=PERMUTATIONS),
            CORRELATION,
        )
        for name, given in controls.items()
    }
    beside = {
        name: pair_correlation(predictor, rates, given, resamples=RESAMPLES)
        for name, predictor, given in (
            ("nothing given", x, []),
            ("gradients at the images, clean agreement given", gradients, [answers, logits]),
            (
                "harmonic parts, clean agreement and gradients given",
                x,
                [answers, logits, gradients],
            ),
        )
    }
    texts = "; ".join(f"{name}: {i.text(2)}" for name, i in beside.items())
    count, examples = len(rates), tables[0]["examples"]
    remark = f"{count} networks, {examples} images that all classify correctly. Beside: {texts}."
    return Effects(tested, beside, remark)
