"""A rule is built from its settings, and settings that change nothing are known."""

from typing import Any

import pytest

from holonet.attacks import ThreatModel
from holonet.errors import ConfigError
from holonet.training import (
    AnalyticRule,
    CosineRamp,
    EmpiricalRisk,
    IntervalRule,
    LinearizedRobustOptimization,
    LinearRamp,
    Mixture,
    RobustOptimization,
    Rule,
    RuleConfig,
    Trades,
    fgsm_rs,
    shaham,
)

RULE_NAMES = [
    "standard",
    "analytic",
    "fgsm",
    "fgsm-rs",
    "pgd",
    "trades",
    "linearized",
    "interval",
    "linearized+interval",
    "analytic+fgsm-rs",
]


def test_rules_are_built() -> None:
    assert type(RuleConfig(name="standard").build()) is EmpiricalRisk
    rule = RuleConfig(
        name="analytic", weight=2.0, target="loss", probes="exact", mode="forward"
    ).build()
    assert repr(rule) == repr(AnalyticRule(2.0, "loss", None, "forward"))
    rule = RuleConfig(
        name="analytic",
        weight=2.0,
        gradient_norm="L1",
        directions="complex",
        cauchy_riemann=0.5,
        harmonic=0.25,
    ).build()
    terms: dict[str, Any] = {"gradient_norm": "L1", "directions": "complex"}
    terms |= {"cauchy_riemann": 0.5, "harmonic": 0.25}
    assert repr(rule) == repr(AnalyticRule(2.0, **terms))
    assert repr(RuleConfig(name="analytic").build()) == repr(AnalyticRule())
    linearized = LinearizedRobustOptimization(ThreatModel("Linf", 0.1))
    assert repr(RuleConfig().build()) == repr(linearized)  # the defaults are the rule's own


def test_rules_that_perturb_are_built() -> None:
    threat = ThreatModel("L2", 0.5, (-1.0, 1.0))
    given: dict[str, Any] = {"norm": "L2", "eps": 0.5, "bounds": (-1.0, 1.0)}
    expected: dict[Any, Rule] = {
        "fgsm": shaham(threat),
        "fgsm-rs": fgsm_rs(threat),
        "pgd": RobustOptimization(threat, steps=3),
        "trades": Trades(threat, beta=6.0, steps=3),
        "linearized": LinearizedRobustOptimization(threat),
        "analytic+fgsm-rs": fgsm_rs(
            threat, penalties=AnalyticRule(0.1, gradient_norm="L1").penalties
        ),
    }
    for name, rule in expected.items():
        found = RuleConfig(
            name=name, steps=3, beta=6.0, weight=0.1, gradient_norm="L1", **given
        ).build()
        assert repr(found) == repr(rule)
    assert repr(RuleConfig(name="pgd").build()) == repr(
        RobustOptimization(ThreatModel("Linf", 0.1), steps=7)
    )


def test_rules_without_a_box() -> None:
    for threat in ("Linf", "polydisc", "complex_ball"):
        bounds: Any = "none" if threat == "Linf" else (0.0, 1.0)  # complex data never have one
        rule = RuleConfig(name="fgsm", norm=threat, eps=3.0, bounds=bounds).build()
        assert repr(rule) == repr(shaham(ThreatModel(threat, 3.0, None)))


@pytest.mark.parametrize(
    ("schedule", "ramp"), [("linear", LinearRamp), ("cosine", CosineRamp), ("constant", None)]
)
def test_schedules_raise_weights_and_radii(schedule: Any, ramp: Any) -> None:
    def weight(final: float) -> Any:
        return final if ramp is None else ramp(final, start=0.125, end=0.25)

    given: dict[str, Any] = {"schedule": schedule, "warm_up_start": 0.125, "warm_up": 0.25}
    analytic = RuleConfig(name="analytic", weight=2.0, harmonic=0.5, **given).build()
    assert repr(analytic) == repr(AnalyticRule(weight(2.0), harmonic=weight(0.5)))
    threat, radius = ThreatModel("Linf", 0.1), weight(1.0)
    perturbing = {
        "fgsm": shaham(threat, radius=radius),
        "fgsm-rs": fgsm_rs(threat, radius=radius),
        "pgd": RobustOptimization(threat, radius=radius, steps=7),
        "trades": Trades(threat, radius=radius),
        "linearized": LinearizedRobustOptimization(threat, radius=radius),
        "analytic+fgsm-rs": fgsm_rs(
            threat, radius=radius, penalties=AnalyticRule(weight(0.3)).penalties
        ),
    }
    for name, expected in perturbing.items():
        assert repr(RuleConfig.model_validate({"name": name, **given}).build()) == repr(expected)


def test_the_point_of_the_linear_part_is_that_of_the_setting() -> None:
    for place in ("data", "center", "random", "two-radii", "frank-wolfe"):
        rule = LinearizedRobustOptimization(ThreatModel("Linf", 0.3), at=place)
        assert repr(RuleConfig(name="linearized", eps=0.3, at=place).build()) == repr(rule)


def test_intervals_and_mixtures_are_built() -> None:
    threat = ThreatModel("Linf", 0.2)
    rule = RuleConfig(name="interval", eps=0.2, clean_share=0.25).build()
    assert repr(rule) == repr(IntervalRule(threat, clean_share=0.25))
    config = RuleConfig(
        name="linearized+interval", eps=0.2, interval_share=0.25, at="center", curvature=0.5
    )
    parts = [
        (0.75, LinearizedRobustOptimization(threat, at="center", curvature=0.5)),
        (0.25, IntervalRule(threat)),
    ]
    assert repr(config.build()) == repr(Mixture(parts))


@pytest.mark.parametrize(("schedule", "ramp"), [("linear", LinearRamp), ("cosine", CosineRamp)])
def test_the_share_falls_and_the_curvature_rises(schedule: Any, ramp: Any) -> None:
    given: dict[str, Any] = {"schedule": schedule, "warm_up_start": 0.125, "warm_up": 0.25}
    threat, moments = ThreatModel("Linf", 0.1), {"start": 0.125, "end": 0.25}
    rule = RuleConfig(name="interval", clean_share=0.2, **given).build()
    expected = IntervalRule(
        threat, radius=ramp(1.0, **moments), clean_share=ramp(0.2, 1.0, **moments)
    )
    assert repr(rule) == repr(expected)
    linearized = RuleConfig(name="linearized", curvature=0.2, **given).build()
    expected = LinearizedRobustOptimization(
        threat, radius=ramp(1.0, **moments), curvature=ramp(0.2, **moments)
    )
    assert repr(linearized) == repr(expected)


def test_intervals_and_curvature_are_for_linf() -> None:
    with pytest.raises(ConfigError, match="norm = 'L2': intervals enclose"):
        RuleConfig(name="interval", norm="L2")
    with pytest.raises(ConfigError, match="norm = 'L2': intervals enclose"):
        RuleConfig(name="linearized+interval", norm="L2")
    with pytest.raises(ConfigError, match=r"curvature = 0\.5: only norm 'Linf'"):
        RuleConfig(name="linearized", norm="L2", curvature=0.5)
    RuleConfig(name="pgd", norm="L2", curvature=0.5).build()  # which ignores it


def test_corners_follow_the_warm_up() -> None:
    threat, given = ThreatModel("Linf", 0.3), {"name": "linearized", "at": "frank-wolfe"}
    for schedule, warm_up, corners in (
        ("constant", 0.5, 0.25),
        ("linear", 0.4, LinearRamp(0.25, start=0.4)),
        ("cosine", 0.4, LinearRamp(0.25, start=0.4)),
        ("linear", 1.0, 0.25),
    ):
        config = {**given, "eps": 0.3, "corners": 0.25, "schedule": schedule, "warm_up": warm_up}
        built = RuleConfig.model_validate(config).build()
        radius = built.radius
        rule = LinearizedRobustOptimization(
            threat, at="frank-wolfe", corners=corners, radius=radius
        )
        assert repr(built) == repr(rule)


def test_a_warm_up_ends_after_its_start() -> None:
    with pytest.raises(ConfigError, match=r"warm_up = 0\.25.*warm_up_start = 0\.25"):
        RuleConfig(schedule="linear", warm_up_start=0.25, warm_up=0.25)
    with pytest.raises(ConfigError, match=r"warm_up = 0\.5"):
        RuleConfig(schedule="linear", warm_up_start=0.75)


def test_points_of_a_box_are_for_linf() -> None:
    for norm in ("L2", "polydisc"):
        with pytest.raises(ConfigError, match=f"at = 'center': only norm 'Linf'.*'{norm}'"):
            RuleConfig(name="linearized", norm=norm, at="center")
        RuleConfig(name="pgd", norm=norm, at="center").build()  # which ignores it


RULE_ALTERNATIVES: dict[str, Any] = {
    "weight": 0.7,
    "target": "loss",
    "probes": 3,
    "mode": "forward",
    "gradient_norm": "L1",
    "directions": "complex",
    "cauchy_riemann": 0.5,
    "harmonic": 0.5,
    "norm": "L2",
    "eps": 0.33,
    "bounds": (-1.0, 2.0),
    "steps": 3,
    "beta": 4.0,
    "at": "center",
    "corners": 0.25,
    "curvature": 0.5,
    "entries": 9,
    "clean_share": 0.25,
    "interval_share": 0.25,
    "schedule": "linear",
    "warm_up_start": 0.125,
    "warm_up": 0.25,
}


def ignored(section: Any) -> set[str]:
    return {key for keys in section.ignored().values() for key in keys}


@pytest.mark.parametrize(
    "base",
    [
        {},
        {"schedule": "cosine"},
        {"norm": "polydisc"},
        {"at": "frank-wolfe"},
        {"curvature": 0.25},
    ],
    ids=str,
)
def test_a_rule_ignores_a_setting_exactly_if_another_value_makes_the_same_rule(
    base: dict[str, Any],
) -> None:
    def named(name: str, **settings: Any) -> RuleConfig:
        return RuleConfig(**{"name": name, **base, **settings})

    for name in RULE_NAMES:
        if "interval" in name and "norm" in base:
            continue
        config = named(name)
        for key, value in RULE_ALTERNATIVES.items():
            refused = {key, *base} & {"at", "curvature"} or "interval" in name
            if key in base or ("norm" in {key, *base} and refused):
                continue
            other = named(name, **{key: value})
            same = repr(config.build()) == repr(other.build())
            assert same == (key in ignored(config)), (name, key)
