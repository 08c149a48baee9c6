"""What users may import: declared, sorted, documented."""

import importlib
import inspect
import pkgutil

import holonet
from cases import each

MODULES = ["holonet", *(m.name for m in pkgutil.walk_packages(holonet.__path__, "holonet."))]


@each("name", MODULES)
def test_module_declares_its_names(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} opens with no sentence"
    assert len(module.__all__) == len(set(module.__all__))
    for public in module.__all__:
        assert hasattr(module, public), f"{name}.{public} does not exist"


@each("name", MODULES)
def test_public_objects_are_documented(name: str) -> None:
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", ()):
        value = getattr(module, public)
        if getattr(value, "__module__", None) != name:
            continue  # documented where it is defined
        if inspect.isclass(value) or inspect.isfunction(value):
            doc = value.__dict__.get("__doc__") if inspect.isclass(value) else value.__doc__
            assert doc, f"{name}.{public} has no docstring"


@each("name", [m for m in MODULES if m.count(".") <= 1])
def test_package_hands_on_only_what_its_modules_declare(name: str) -> None:
    package = importlib.import_module(name)
    for public in package.__all__:
        value = getattr(package, public)
        source = getattr(value, "__module__", None)
        if inspect.ismodule(value) or source is None or not source.startswith("holonet"):
            continue
        assert public in importlib.import_module(source).__all__, f"{public} is not in {source}"


def test_version_agrees_with_the_package() -> None:
    from importlib.metadata import version

    assert version("holonet") == holonet.__version__
