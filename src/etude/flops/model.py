"""A model as its config describes it: its parameters, and what its passes cost for each unit of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from etude.errors import ConfigError, Fault, require
from etude.flops.adapters import Adapter, with_adapter
from etude.flops.architecture.blueprint import Blueprint, Head, Kind
from etude.flops.architecture.fields import ConfigSource, read_config
from etude.flops.architecture.table import blueprint_of, model_type_of
from etude.flops.heads import OUTPUT, PooledHead, head_ops
from etude.flops.lowering import lower
from etude.flops.operations import Op, Parameter, Per
from etude.flops.passes import Form, backward_form, forward_form
from etude.flops.trained import Trainable, trained_names

HeadChoice = Literal["auto", "none", "language", "classification"] | PooledHead
"""`auto`: what the config's `architectures` says; without that a language head, but none for encoders.
`none`: the backbone as `AutoModel` builds it. Or a head of one's own."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Model:
    """What one model is made of. Build it with `describe`; compute with it as often as you like."""

    model_type: str
    kind: Kind
    width: int
    """Size of the last hidden state."""
    head: str
    """`none`, `language`, `classification` or `pooled`."""
    ops: tuple[Op, ...]
    parameters: Mapping[str, Parameter]
    """Name, as `named_parameters()` has it → parameter, each once. Adapters: `<module>.lora_A.weight`."""
    head_parameters: frozenset[str]
    """Names of the parameters that the head uses."""
    forward: Form = field(repr=False)
    keeps_last_logits: bool = True
    """Whether generation applies the head to the last position only."""
    notes: tuple[str, ...] = ()

    @property
    def has_pass_cost(self) -> bool:
        """Whether a pass costs something whatever the batch holds, so that its cost is no sum over samples."""
        return any(op.product is not None and op.product.per is Per.PASS for op in self.ops)

    @property
    def parameter_count(self) -> int:
        """Numbers in all parameters, shared ones once."""
        return sum(parameter.size for parameter in self.parameters.values())

    def trainable_count(self, trainable: Trainable) -> int:
        """Numbers in the parameters that are trained. ConfigError where a choice or pattern matches nothing."""
        return sum(
            self.parameters[name].size for name in trained_names(self.parameters, self.head_parameters, trainable)
        )


def describe(
    config: ConfigSource,
    *,
    head: HeadChoice = "auto",
    labels: int | None = None,
    adapter: Adapter | None = None,
) -> Model:
    """A model from its config alone: no weights, no network, no torch.

    Args:
        config: A mapping, a config object of transformers, or the path of a `config.json` or its folder.
        head: What stands on the backbone.
        labels: Classes of a classification head, where the config does not say or says otherwise.
        adapter: LoRA or IA3, unmerged.

    Raises:
        ConfigError: An unknown architecture (named, with the nearest that is described), a missing or senseless size,
            an adapter that matches nothing.
    """
    values = read_config(config)
    if labels is not None:
        require(not isinstance(head, PooledHead), "labels", labels, "nothing: a pooled head says its labels itself")
        require(labels >= 1, "labels", labels, "1 or more")
        values = {**values, "num_labels": labels}
    blueprint = blueprint_of(values)
    name, chosen = _head(blueprint, head, values)
    prefix = chosen.prefix if isinstance(chosen, Head) else ""
    runs_pooler = chosen is None or (chosen.pooler if isinstance(chosen, PooledHead) else chosen.pooled)
    crown = tuple(head_ops(chosen, blueprint.width, prefix))
    ops = (*lower(blueprint, prefix, pooler=runs_pooler), *crown)
    if adapter is not None:
        ops = with_adapter(ops, adapter, model_type_of(values))
    return Model(
        model_type=model_type_of(values),
        kind=blueprint.kind,
        width=blueprint.width,
        head=name,
        ops=ops,
        parameters=MappingProxyType({parameter.name: parameter for op in ops for parameter in op.parameters}),
        head_parameters=frozenset(parameter.name for op in crown for parameter in op.parameters),
        forward=MappingProxyType(forward_form(ops)),
        keeps_last_logits=blueprint.keeps_last_logits,
        notes=blueprint.notes,
    )


@lru_cache(maxsize=256)
def backward_of(model: Model, trainable: Trainable) -> Form:
    """What a backward pass through the model costs for each unit of work, with these parameters trained."""
    return backward_form(model.ops, trained_names(model.parameters, model.head_parameters, trainable), OUTPUT)


def _head(
    blueprint: Blueprint, choice: HeadChoice, values: Mapping[str, object]
) -> tuple[str, Head | PooledHead | None]:
    if isinstance(choice, PooledHead):
        return "pooled", choice
    name = _from_architectures(blueprint, values) if choice == "auto" else choice
    match name:
        case "none":
            return name, None
        case "language":
            return name, _there(blueprint.language, name)
        case "classification":
            return name, _there(blueprint.classifier, name)
    expected = "expected auto, none, language, classification or a PooledHead"
    raise ConfigError([Fault(path="head", value=choice, reason=expected)])


def _there(head: Head | None, name: str) -> Head:
    if head is None:
        raise ConfigError([Fault(path="head", value=name, reason="the architecture has no such head")])
    return head


_ENDINGS = {
    "ForSequenceClassification": "classification",
    "ForCausalLM": "language",
    "ForMaskedLM": "language",
    "ForConditionalGeneration": "language",
    "LMHeadModel": "language",
    "MTModel": "language",
    "Model": "none",
}


def _from_architectures(blueprint: Blueprint, values: Mapping[str, object]) -> str:
    named = values.get("architectures")
    if isinstance(named, list | tuple) and named:
        for ending, head in _ENDINGS.items():
            if str(named[0]).endswith(ending):
                return head
        reason = "the head of this class is not described"
        mend = 'say which: head="none", "language", "classification" or a PooledHead'
        raise ConfigError([Fault(path="config.architectures", value=named[0], reason=reason, mend=mend)])
    return "none" if blueprint.kind == "encoder" else "language"
