"""The studies that can be reproduced by name."""

from collections.abc import Mapping
from types import MappingProxyType

from holonet.errors import UnknownNameError
from holonet.studies.barati2022 import Barati2022
from holonet.studies.deng2020 import Deng2020
from holonet.studies.gao2019 import Gao2019
from holonet.studies.shaham2015.study import Shaham2015
from holonet.studies.study import Study

__all__ = ["STUDIES", "study_named"]

STUDIES: Mapping[str, type[Study]] = MappingProxyType(
    {study.name: study for study in (Barati2022, Deng2020, Gao2019, Shaham2015)}
)
"""Every study, read-only."""


def study_named(name: str) -> type[Study]:
    """The study of that name.

    Raises:
        UnknownNameError: there is none.

    Example:
        >>> len(study_named("shaham2015").claims)
        6
    """
    if name not in STUDIES:
        raise UnknownNameError("study", name, STUDIES)
    return STUDIES[name]
