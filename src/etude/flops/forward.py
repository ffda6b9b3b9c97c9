"""What one forward pass over a batch costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import index
from typing import Literal, SupportsIndex

from etude.errors import ConfigError, Fault, require
from etude.flops.cost import FREE, Cost
from etude.flops.model import Model
from etude.flops.operations import Per
from etude.flops.passes import Form
from etude.flops.tally import tally
from etude.flops.work import BatchPasses, Pass, Work

Lengths = SupportsIndex | Iterable[SupportsIndex]
"""Tokens of one sample, or of each sample of a batch (a list, a tuple, an integer array)."""
Logits = Literal["all", "last", "none"]
"""Which positions a language head scores."""


def forward(
    model: Model,
    tokens: Lengths,
    *,
    target: Lengths | None = None,
    batch: int = 1,
    cached: Lengths = 0,
    padded_to: int | None = None,
    logits: Logits = "all",
) -> Cost:
    """What a forward pass over one batch costs. For a run, add the costs of its batches.

    Args:
        model: The model, from `describe`.
        tokens: Tokens of each sample. New tokens where some are cached. Of the source for an encoder-decoder.
        target: Encoder-decoders: tokens that the decoder reads; as many as the source where it is left out.
        batch: How many times the batch holds these samples.
        cached: Decoders: tokens of each sample whose keys and values are in the cache already. Encoder-decoders: tokens
            that the decoder has read; where above 0, the encoder's output counts as cached too.
        padded_to: Length that every sample is padded to; the longest of the batch where it is left out.
        logits: Positions that a language head scores: all, the last of each sample (as in generation), or none.

    Returns:
        Useful and issued FLOPs, exact by both conventions.

    Raises:
        ConfigError: A length that is negative, or longer than `padded_to`; a cache for an encoder.

    Source: the products of the architecture as transformers runs it with eager attention; a product of an m×k and a k×n
        matrix is 2mkn FLOPs. Equal to `torch.utils.flop_counter.FlopCounterMode` to the last unit.
    """
    passes = batch_passes(model, tokens, target, cached, padded_to, logits)
    return price(model.forward, *passes, batch=batch)


def sample_flops(
    model: Model, tokens: Lengths, *, target: Lengths | None = None, cached: Lengths = 0, logits: Logits = "all"
) -> list[int]:
    """Useful FLOPs of each sample by the `causal_exact` convention: the key by which a batch's energy is split.

    Arguments and errors are those of `forward`. What a pass does once, whatever the batch holds, is in no sample.
    """
    useful, _ = batch_passes(model, tokens, target, cached, None, logits)
    found = {work: tally(model.forward, (work,)).causal_exact_flops for work in set(useful)}
    return [found[work] or 0 for work in useful]


def batch_passes(
    model: Model,
    tokens: Lengths,
    target: Lengths | None,
    cached: Lengths,
    padded_to: int | None,
    logits: Logits,
) -> tuple[list[Pass], list[Pass]]:
    """The useful and the issued passes over one batch, one of each for each sample."""
    own = lengths(tokens, "tokens")
    decoded = own if target is None else lengths(target, "target", len(own))
    kept = lengths(cached, "cached", len(own))
    if model.kind == "encoder":
        require(not any(kept), "cached", cached, "0: an encoder keeps no cache")
    if model.kind != "encoder-decoder":
        require(target is None, "target", target, "nothing: only an encoder-decoder has a target beside its source")
    longest = max(own, default=0)
    require(
        padded_to is None or padded_to >= longest, "padded_to", padded_to, f"at least the longest sample, {longest}"
    )
    wide = padded_to or longest
    decoded_wide = max(decoded, default=0) if target is not None else wide
    kept_wide = max(kept, default=0)
    useful = [_pass(model, *sample, logits) for sample in zip(own, decoded, kept, strict=True)]
    issued = [_pass(model, wide, decoded_wide, kept_wide, logits)] * len(own)
    return useful, issued


def price(form: Form, useful: Sequence[Work], issued: Sequence[Work], *, batch: int, passes: int = 1) -> Cost:
    """The cost of a batch of so many times this work at these prices, run in this many passes."""
    times = positive(batch, "batch")
    own = tally(form, useful)
    samples = Cost(
        useful=own,
        issued=own if useful == issued else tally(form, issued),
        samples=len(useful),
        useful_tokens=sum(work.amount(Per.TOKEN, False) + work.amount(Per.SOURCE, False) for work in useful),
        issued_tokens=sum(work.amount(Per.TOKEN, False) + work.amount(Per.SOURCE, False) for work in issued),
    )
    once = tally(form, (BatchPasses(passes if useful else 0),))
    return samples * times + replace(FREE, useful=once, issued=once)


def lengths(value: Lengths, field: str, count: int | None = None) -> list[int]:
    """Whole numbers of 0 or more, one for each sample; a single one serves all `count` of them.

    Raises:
        ConfigError: Something else, or another number of them.
    """
    try:
        if isinstance(value, Iterable):
            found = [index(item) for item in value]
        else:
            found = [index(value)] * (1 if count is None else count)
    except TypeError as problem:
        raise ConfigError([Fault(path=field, value=value, reason="expected whole numbers")]) from problem
    if found and min(found) < 0:
        raise ConfigError([Fault(path=field, value=value, reason="expected whole numbers of 0 or more")])
    if count is not None and len(found) != count:
        reason = f"expected one number for each of the {count} samples, got {len(found)}"
        raise ConfigError([Fault(path=field, reason=reason)])
    return found


def positive(value: int, field: str) -> int:
    """The value, if it is 1 or more."""
    require(value >= 1, field, value, "1 or more")
    return value


def _pass(model: Model, tokens: int, decoded: int, kept: int, logits: Logits) -> Pass:
    require(logits in ("all", "last", "none"), "logits", logits, "all, last or none")
    new = decoded if model.kind == "encoder-decoder" else tokens
    scored = {"all": new, "last": min(new, 1), "none": 0}[logits]
    if model.kind != "encoder-decoder":
        return Pass(tokens, kept, scored)
    fresh = 0 if kept else tokens
    return Pass(new, kept, scored, source=fresh, memory=fresh, context=tokens)
