"""The studies that can be reproduced: by name, and those of a user's own."""

import inspect
from collections.abc import Mapping
from types import MappingProxyType

from holonet._named_object import (
    installed_object,
    installed_objects,
    is_object_name,
    named_object,
)
from holonet.errors import ConfigError, UnknownNameError
from holonet.papers.barati2022 import Barati2022
from holonet.papers.deng2020 import Deng2020
from holonet.papers.dube2018 import Dube2018
from holonet.papers.gao2019 import Gao2019
from holonet.papers.shaham2015.study import Shaham2015
from holonet.studies.hypothesis import Hypothesis
from holonet.studies.study import Study

__all__ = ["GROUP", "STUDIES", "study_named"]

GROUP = "holonet.studies"
"""The entry points by which packages offer studies."""

STUDIES: Mapping[str, type[Study]] = MappingProxyType(
    {
        study.name: study
        for study in (
            Barati2022,
            Deng2020,
            Dube2018,
            Gao2019,
            Hypothesis,
            Shaham2015,
        )
    }
)
"""Every study, read-only."""


def study_named(name: str) -> type[Study]:
    """The study of that name, of an installed package too, or `file.py:Class`, or `module:Class`.

    Raises:
        UnknownNameError: there is none.
        ConfigError: there is no such file, module or class, or it is no study.

    Example:
        >>> len(study_named("shaham2015").claims)
        6
    """
    if name in STUDIES:
        return STUDIES[name]
    if name in installed_objects(GROUP):
        study = installed_object(GROUP, name)
    elif is_object_name(name):
        study = named_object(name)
    else:
        raise UnknownNameError("study", name, [*STUDIES, *installed_objects(GROUP)])
    if not (inspect.isclass(study) and issubclass(study, Study)):
        raise ConfigError(f"{name} is no study: name a subclass of holonet.studies.Study")
    lacks = [k for k in ("name", "title", "claims") if not getattr(study, k, None)]
    lacks += [f"{k}()" for k in sorted(study.__abstractmethods__)]
    if lacks:
        raise ConfigError(
            f"{name} has no {', '.join(lacks)}: examples/own_study.py shows what a study has"
        )
    return study
