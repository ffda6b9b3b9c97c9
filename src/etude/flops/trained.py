"""Which parameters are trained, said in words or by patterns over their names."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from etude.errors import ConfigError, Fault, nearest
from etude.flops.operations import Parameter, Role

Trainable = str | tuple[str, ...]
"""`all`, `none`, `adapter`, `head`, `bias`, `norm`, or a pattern such as `*.q_proj.weight`; a tuple for several."""

_WORDS = ("all", "none", "adapter", "head", "bias", "norm")


def trained_names(parameters: Mapping[str, Parameter], head: frozenset[str], trainable: Trainable) -> frozenset[str]:
    """The names of the parameters that are trained; those that the model itself freezes are never among them.

    Args:
        parameters: All parameters of a model, by name.
        head: Names of those that its head uses; a tied language head uses the embedding.
        trainable: What is chosen.

    Raises:
        ConfigError: A word or pattern matches no parameter.
    """
    found: set[str] = set()
    faults = []
    for choice in (trainable,) if isinstance(trainable, str) else trainable:
        matching = {name for name, parameter in parameters.items() if _chosen(parameter, name in head, choice)}
        if not matching and choice != "none":
            faults.append(_fault(choice, parameters))
        found |= matching
    if faults:
        raise ConfigError(faults)
    return frozenset(found)


def _chosen(parameter: Parameter, in_head: bool, choice: str) -> bool:
    if parameter.frozen:
        return False
    match choice:
        case "all":
            return True
        case "none":
            return False
        case "adapter":
            return parameter.role is Role.ADAPTER
        case "head":
            return in_head
        case "bias":
            return parameter.name.endswith("bias")
        case "norm":
            return parameter.role is Role.NORM
        case _:
            return fnmatchcase(parameter.name, choice)


def _fault(choice: str, parameters: Mapping[str, Parameter]) -> Fault:
    reason = "matches no parameter of the model"
    mends = {
        "adapter": "describe the model with an adapter",
        "head": "describe the model with a head",
        "bias": "the model has no biases; train norms, an adapter or all",
        "norm": "the model's norms have no parameters",
    }
    mend = mends.get(choice) or nearest(choice, (*_WORDS, *parameters))
    return Fault(path="trainable", value=choice, reason=reason, mend=mend)
