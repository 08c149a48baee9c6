"""tests/<unit>/test_<module>.py stands for holonet/<unit>/<module>.py, both ways."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
FREE = {
    "laws",
    "impostors",
    "benchmarks",
    "fuzz",
    "support",
}  # folders of tests that cut across modules


def modules() -> set[str]:
    files = (ROOT / "holonet").rglob("*.py")
    inside = (f.relative_to(ROOT / "holonet") for f in files if f.name != "__init__.py")
    # _types holds no behavior of its own, and __main__ runs what tests/cli is about
    return {p.with_suffix("").as_posix() for p in inside} - {"_types", "__main__"}


def mirrored() -> set[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    inside = [f.relative_to(ROOT / "tests") for f in files]
    return {
        (p.parent / p.stem.removeprefix("test_")).as_posix()
        for p in inside
        if p.parts[0] not in FREE
        and (len(p.parts) > 1 or p.stem.removeprefix("test_") in modules())
    }


def test_every_module_has_its_tests() -> None:
    assert not modules() - mirrored()


def test_every_test_file_has_its_module() -> None:
    assert not mirrored() - modules()
