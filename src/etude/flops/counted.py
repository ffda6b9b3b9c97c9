"""FLOPs of an architecture that is not described: build it without weights and let torch's FlopCounterMode count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from etude.errors import ConfigError, Fault, require
from etude.flops.architecture.fields import ConfigSource, read_config
from etude.flops.architecture.table import model_type_of
from etude.flops.cost import NOTHING, Cost, Flops, Quality, TrainingCost
from etude.flops.forward import Lengths, lengths, positive

CountedHead = Literal["auto", "none", "language", "classification"]

_PRODUCTS = (
    "addbmm",
    "addmv",
    "dot",
    "fft",
    "flash_attention",
    "grouped_mm",
    "int_mm",
    "int8pack_mm",
    "int4pack_mm",
    "linear_backward",
    "mkldnn_linear",
    "mkldnn_rnn",
    "mv",
    "scan",
    "scaled_dot_product",
    "thnn_fused",
)
"""Parts of the names of operations that multiply matrices, or do as much work, under other names than torch counts."""


def count(
    config: ConfigSource,
    tokens: Lengths,
    *,
    head: CountedHead = "auto",
    labels: int | None = None,
    target: Lengths | None = None,
    batch: int = 1,
    backward: bool = False,
    device: str = "meta",
) -> TrainingCost:
    """What a forward pass, and optionally a backward pass with everything trained, costs by torch's own counter.

    The model is built from its config with eager attention and no weights, and run once for each distinct length.
    Only matrix products and convolutions are counted, over the full rectangle of attention. What ran and looks like a
    product that the counter has no formula for is listed in `Flops.uncounted`, and the figure is then a lower bound;
    work in operations that are no products (recurrences, scans) goes unseen, so the figure is never called exact.

    Args:
        config: As for `describe`; of any architecture that the installed transformers knows.
        tokens: Tokens of each sample.
        head: As for `describe`, without pooled heads.
        labels: Classes of a classification head.
        target: Encoder-decoders: tokens that the decoder reads; as many as the source where it is left out.
        batch: How many times the batch holds these samples.
        backward: Whether a backward pass is run as well.
        device: `meta` needs no memory. Some models ask for values of their inputs and need `cpu`.

    Raises:
        ConfigError: transformers does not know the architecture or the head, or the model cannot run there.
    """
    values = read_config(config)
    own = lengths(tokens, "tokens")
    decoded = own if target is None else lengths(target, "target", len(own))
    model = _built(values, head, labels, device)
    pairs = list(zip(own, decoded, strict=True))
    widest = (max(own, default=0), max(decoded, default=0))
    counts = {pair: _counted(model, *pair, backward) for pair in {*pairs, widest}}
    directions = [
        Cost(
            useful=sum((counts[pair][which] for pair in pairs), NOTHING),
            issued=counts[widest][which] * len(pairs),
            samples=len(pairs),
            useful_tokens=sum(own) + (sum(decoded) if _two_stacks(model) else 0),
            issued_tokens=len(pairs) * (widest[0] + (widest[1] if _two_stacks(model) else 0)),
        )
        * positive(batch, "batch")
        for which in (0, 1)
    ]
    return TrainingCost(forward=directions[0], backward=directions[1])


def _built(values: Mapping[str, object], head: str, labels: int | None, device: str) -> Any:
    """The model on this device, without weights."""
    import torch
    from huggingface_hub.errors import StrictDataclassError
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    kind = model_type_of(values)
    rest = {name: value for name, value in values.items() if name not in ("model_type", "transformers_version")}
    if labels is not None:
        rest["num_labels"] = labels
    if kind not in CONFIG_MAPPING:
        reason = "the installed transformers does not know this architecture either"
        raise ConfigError([Fault(path="config.model_type", value=kind, reason=reason)])
    try:
        config = CONFIG_MAPPING[kind](**rest)
    except (ValueError, TypeError, StrictDataclassError) as problem:
        raise ConfigError([Fault(path="config", reason=f"transformers refuses it: {problem}")]) from problem
    options: dict[str, Any] = {"attn_implementation": "eager"}
    if hasattr(config, "num_experts_per_tok"):
        options["experts_implementation"] = "batched_mm"
    with torch.device(device):
        model = _class(config, head).from_config(config, **options)
    # In training mode, models that drop layers at random would be counted without some of them.
    return model.eval()


def _class(config: Any, head: str) -> Any:
    import transformers

    named = list(getattr(config, "architectures", None) or ())
    if head == "auto" and named and hasattr(transformers, named[0]):
        return _Direct(getattr(transformers, named[0]))
    language = ("AutoModelForSeq2SeqLM", "AutoModelForCausalLM", "AutoModelForMaskedLM", "AutoModel")
    choices = {
        "auto": language,
        "none": ("AutoModel",),
        "language": language[:-1],
        "classification": ("AutoModelForSequenceClassification",),
    }
    require(head in choices, "head", head, "auto, none, language or classification")
    for name in choices[head]:
        found = getattr(transformers, name)
        if type(config) in found._model_mapping:
            return found
    reason = f"transformers has no such model of type {config.model_type!r}"
    raise ConfigError([Fault(path="head", value=head, reason=reason)])


class _Direct:
    """A class of transformers under the interface of the automatic ones."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def from_config(self, config: Any, **options: Any) -> Any:
        return self.model._from_config(config, **options)


def _two_stacks(model: Any) -> bool:
    return bool(model.config.is_encoder_decoder)


def _counted(model: Any, tokens: int, decoded: int, backward: bool) -> tuple[Flops, Flops]:
    """One sample's forward and backward pass."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode, flop_registry

    if not tokens:
        return NOTHING, NOTHING
    device = next(model.parameters()).device
    inputs: dict[str, Any] = {"input_ids": torch.ones((1, tokens), dtype=torch.long, device=device)}
    if _two_stacks(model):
        inputs["decoder_input_ids"] = torch.ones((1, decoded), dtype=torch.long, device=device)
    with _watching(set(flop_registry)) as watch, FlopCounterMode(display=False) as counter:
        try:
            output = model(**inputs)
            forward = counter.get_total_flops()
            if backward:
                _outcome(output).sum().backward()
        except (RuntimeError, NotImplementedError) as problem:
            mend = 'give device="cpu": the model asks for values, which the meta device has not'
            raise ConfigError(
                [Fault(path="device", value=str(device), reason=f"the model cannot run there: {problem}", mend=mend)]
            ) from problem
    uncounted = tuple(sorted(watch.seen))
    quality: Quality = "lower bound" if uncounted else "unverified"
    figures = (forward, counter.get_total_flops() - forward)
    made = [Flops(counted_flops=n, method="counted", quality=quality, uncounted=uncounted) for n in figures]
    return made[0], made[1]


def _outcome(output: Any) -> Any:
    logits = getattr(output, "logits", None)
    return output[0] if logits is None else logits


def _watching(known: set[Any]) -> Any:
    """A context that collects the names of operations that look like products and are not known to the counter."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.seen: set[str] = set()

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            packet = func.overloadpacket
            if packet not in known and any(part in str(packet).rsplit(".", 1)[-1] for part in _PRODUCTS):
                self.seen.add(str(packet))
            return func(*args, **(kwargs or {}))

    return Watch()
