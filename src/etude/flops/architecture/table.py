"""Which architectures are described, and what happens to the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from etude.errors import ConfigError, Fault
from etude.flops.architecture import bert, gpt, t5
from etude.flops.architecture.bart import BART_STYLES, bart
from etude.flops.architecture.blueprint import Blueprint
from etude.flops.architecture.deepseek import deepseek
from etude.flops.architecture.fields import COUNT, Fields
from etude.flops.architecture.gemma3n import gemma3n_text
from etude.flops.architecture.llama import STYLES, decoder
from etude.flops.architecture.llama4 import llama4_text
from etude.flops.architecture.modernbert import modernbert

ARCHITECTURES: Mapping[str, Callable[[Fields], Blueprint]] = {
    **{name: partial(decoder, style=style) for name, style in STYLES.items()},
    "llama4_text": llama4_text,
    "gemma3n_text": gemma3n_text,
    "gpt2": gpt.gpt2,
    "gpt_bigcode": gpt.gpt_bigcode,
    "gptj": gpt.gptj,
    "gpt_neox": gpt.gpt_neox,
    "bloom": gpt.bloom,
    "falcon": gpt.falcon,
    "opt": gpt.opt,
    "xglm": gpt.xglm,
    "deepseek_v2": partial(deepseek, plain_layers=0, shared=2),
    "deepseek_v3": partial(deepseek, plain_layers=3, shared=1),
    "bert": bert.bert,
    "roberta": bert.roberta,
    "xlm-roberta": bert.roberta,
    "camembert": bert.roberta,
    "distilbert": bert.distilbert,
    "electra": bert.electra,
    "albert": bert.albert,
    "mpnet": bert.mpnet,
    "modernbert": modernbert,
    "nomic_bert": bert.nomic_bert,
    "jina_embeddings_v3": bert.jina_embeddings_v3,
    "deberta-v2": bert.deberta_v2,
    "t5": t5.t5,
    "mt5": t5.mt5,
    "umt5": t5.umt5,
    **{name: partial(bart, style=style) for name, style in BART_STYLES.items()},
}
"""Model type, as `model_type` in a config names it → the function that lays it out."""

_TEXT_PARTS = {"gemma3": "gemma3_text", "gemma3n": "gemma3n_text", "llama4": "llama4_text"}
"""Models of several modalities whose text part is described."""


_WHY_NOT = {
    "deberta": "as many of its relative positions are projected as the longest sample of a batch asks for; its second "
    "and third versions (deberta-v2) are described"
}
"""Why a well-known architecture is not described."""


def described_types() -> tuple[str, ...]:
    """The model types that can be described from a config alone, in alphabetical order."""
    return tuple(sorted({*ARCHITECTURES, *_TEXT_PARTS}))


def blueprint_of(config: Mapping[str, object]) -> Blueprint:
    """The architecture that a config describes.

    Raises:
        ConfigError: Its model type is not described here, or a size is missing or senseless.
    """
    kind = model_type_of(config)
    inner = config.get("text_config")
    if kind in _TEXT_PARTS and isinstance(inner, Mapping):
        described = ARCHITECTURES[_TEXT_PARTS[kind]](Fields(inner, "config.text_config"))
        return replace(described, notes=(*described.notes, "only the text part is described: no vision tower"))
    if kind not in ARCHITECTURES:
        raise refusal_of(kind)
    return ARCHITECTURES[kind](Fields(config))


def model_type_of(config: Mapping[str, object]) -> str:
    """The model type that a config names.

    Raises:
        ConfigError: It names none.
    """
    kind = config.get("model_type")
    if not isinstance(kind, str) or not kind:
        mend = 'add the model type, for instance "llama", as transformers writes it'
        raise ConfigError([Fault(path="config.model_type", value=kind, reason="is missing", mend=mend)])
    return kind


def refusal_of(kind: str) -> ConfigError:
    """The refusal of an architecture that is not described."""
    spelled = {_plain(known): known for known in described_types()}.get(_plain(kind))
    near = f"did you mean {spelled!r}?" if spelled else f"described are: {', '.join(described_types())}."
    mend = f"{near} Or have it measured: {COUNT} (needs torch and transformers)."
    why = _WHY_NOT.get(kind)
    reason = "this architecture is not described, so its FLOPs cannot be computed from the config"
    reason += f": {why}" if why else ""
    return ConfigError([Fault(path="config.model_type", value=kind, reason=reason, mend=mend)])


def _plain(kind: str) -> str:
    """A name without what people write in several ways. Other letters make another architecture, not a slip."""
    return kind.casefold().replace("-", "").replace("_", "").replace(" ", "")
