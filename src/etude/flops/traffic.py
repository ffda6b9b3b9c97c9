"""Bytes that a pass moves between memory and processor: weights, cached keys and values, activations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from etude.flops.forward import Lengths, lengths, positive
from etude.flops.generation import generation_works
from etude.flops.model import Model
from etude.flops.operations import Op, Parameter, Per
from etude.flops.storage import dtype_bytes, quantisation_of, quantised_names, storage_of
from etude.flops.work import CachedSteps, Pass, clipped_sum


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Bytes moved, at the least: each weight once in each pass, each activation once in and once out of a product.

    Scores of attention and everything between products are taken to stay on the chip, as fused kernels have it.
    """

    weight_bytes: int
    cache_read_bytes: int
    cache_written_bytes: int
    activation_bytes: int
    quality: Literal["lower bound", "estimate"] = "lower bound"
    """`estimate` where it depends on which experts the tokens are routed to: uniform routing is assumed."""

    @property
    def total_bytes(self) -> int:
        """All of them together."""
        return self.weight_bytes + self.cache_read_bytes + self.cache_written_bytes + self.activation_bytes

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(
            weight_bytes=self.weight_bytes + other.weight_bytes,
            cache_read_bytes=self.cache_read_bytes + other.cache_read_bytes,
            cache_written_bytes=self.cache_written_bytes + other.cache_written_bytes,
            activation_bytes=self.activation_bytes + other.activation_bytes,
            quality="estimate" if "estimate" in (self.quality, other.quality) else "lower bound",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """Types of what is moved."""

    dtype: str = "bfloat16"
    """Weights that are not quantised, and activations."""
    cache_dtype: str | None = None
    """Keys and values; None for the same."""
    quantisation: str | None = None
    """One of `QUANTISATIONS`; None for none."""


def cache_bytes(model: Model, tokens: Lengths, *, context: Lengths = 0, dtype: str = "bfloat16") -> int:
    """What keys, values and states of these samples take, as transformers' dynamic cache stores them.

    Args:
        model: A decoder, or an encoder-decoder.
        tokens: Tokens of each sample that the decoder has read. A layer with a window of W keeps the last W - 1.
        context: Encoder-decoders: tokens of each source.
        dtype: The type of keys and values. The states of linear attention are in float32, whatever it is.
    """
    read = lengths(tokens, "tokens")
    sources = lengths(context, "context", len(read))
    elements = 0
    states = len([own for own in read if own]) * _states(model.ops, dtype_bytes(dtype))
    for op in model.ops:
        if op.cached is None:
            continue
        pairs = op.cached.pairs
        for own, source in zip(read, sources, strict=True):
            kept = source if pairs.mask == "cross" else clipped_sum(own, own, _kept(pairs.reach))
            elements += op.cached.elements_per_token * kept
    return elements * dtype_bytes(dtype) + states


def _states(ops: Iterable[Op], size: int) -> int:
    """Bytes of what linear attention keeps of one sequence."""
    return sum(op.state.elements * size + 4 * op.state.float32_elements for op in ops if op.state is not None)


def step_traffic(
    model: Model,
    cached: Lengths,
    *,
    new: int = 1,
    context: Lengths = 0,
    batch: int = 1,
    precision: Precision | None = None,
) -> Traffic:
    """What one step with a cache moves, for one batch that runs together.

    Args:
        model: A decoder, or an encoder-decoder past its first token.
        cached: Tokens of each row that are in the cache.
        new: Tokens of each row that the step reads.
        context: Encoder-decoders: tokens of each row's source.
        batch: How many times the batch holds these rows.
        precision: Types; bfloat16 throughout where it is left out.
    """
    kept = lengths(cached, "cached") * positive(batch, "batch")
    sources = lengths(context, "context", len(kept) // batch) * batch
    works = [Pass(new, own, new, context=source) for own, source in zip(kept, sources, strict=True)]
    return _moved(model, works, 1, precision or Precision())


def generation_traffic(
    model: Model,
    prompt_tokens: Lengths,
    new_tokens: Lengths,
    *,
    batch: int = 1,
    precision: Precision | None = None,
) -> tuple[Traffic, Traffic]:
    """What generating text for one padded batch with a cache moves: the prefill, and all decode steps together.

    Arguments are those of `generation`.
    """
    _, issued = generation_works(model, prompt_tokens, new_tokens, None, cache=True)
    works = issued * positive(batch, "batch")
    how = precision or Precision()
    later = [steps for _, steps in works if isinstance(steps, CachedSteps)]
    prefill = _moved(model, [first for first, _ in works], 1, how)
    return prefill, _moved(model, later, max((steps.steps for steps in later), default=0), how)


def _moved(model: Model, works: Sequence[Pass | CachedSteps], passes: int, precision: Precision) -> Traffic:
    """What these pieces of work move when they run as one batch, in this many passes."""
    size = dtype_bytes(precision.dtype)
    cache = dtype_bytes(precision.cache_dtype or precision.dtype)
    amounts = {per: sum(work.amount(per, False) for work in works) for per in Per}
    amounts[Per.PASS] = passes if works else 0
    running = [op for op in model.ops if amounts[op.moved_per]]
    caching = [op for op in model.ops if op.cached is not None]
    tokens = amounts[Per.TOKEN] / max(passes, 1)
    states = _states(running, cache)
    looked_up = sum(op.looked_up * amounts[op.moved_per] for op in running) * size
    return Traffic(
        weight_bytes=passes * _weights(model, running, tokens, precision) + looked_up,
        cache_read_bytes=sum(_cache_read(op, work) for op in caching for work in works) * cache
        + states * sum(_states_read(work) for work in works),
        cache_written_bytes=sum(_cache_written(op, work) for op in caching for work in works) * cache
        + states * sum(_states_written(work) for work in works),
        activation_bytes=sum(op.moved * amounts[op.moved_per] for op in running) * size,
        quality="estimate" if tokens > 1 and any(p.used_share < 1 for p in _used(running)) else "lower bound",
    )


def _weights(model: Model, running: Sequence[Op], tokens: float, precision: Precision) -> int:
    """Bytes of the weights that one pass over this many tokens reads."""
    size, how = dtype_bytes(precision.dtype), quantisation_of(precision.quantisation)
    quantised = quantised_names(model) if how else frozenset[str]()
    read = 0.0
    for parameter in _used(running):
        if how is not None and parameter.name in quantised:
            read += sum(storage_of(parameter, how))
        else:
            read += parameter.size * size * (1 - (1 - parameter.used_share) ** max(tokens, 1.0))
    return round(read)


def _used(running: Iterable[Op]) -> Iterable[Parameter]:
    """Parameters that are read in full, or in part where a router chooses: all but those that are only looked up."""
    return {parameter.name: parameter for op in running if not op.looked_up for parameter in op.parameters}.values()


def _kept(window: int | None) -> int | None:
    return None if window is None else window - 1


def _cache_read(op: Op, work: Pass | CachedSteps) -> int:
    assert op.cached is not None
    pairs, each = op.cached.pairs, op.cached.elements_per_token
    if isinstance(work, CachedSteps):
        read = clipped_sum(work.start, work.start + work.steps - 1, _kept(pairs.reach))
        return each * (work.steps * work.context if pairs.mask == "cross" else read)
    if pairs.mask == "cross":
        return each * (0 if work.memory else work.context)
    return each * clipped_sum(work.cached, work.cached, _kept(pairs.reach))


def _cache_written(op: Op, work: Pass | CachedSteps) -> int:
    assert op.cached is not None
    unit = Per.MEMORY if op.cached.pairs.mask == "cross" else Per.TOKEN
    return op.cached.elements_per_token * work.amount(unit, False)


def _states_read(work: Pass | CachedSteps) -> int:
    return work.steps if isinstance(work, CachedSteps) else int(work.cached > 0)


def _states_written(work: Pass | CachedSteps) -> int:
    return work.steps if isinstance(work, CachedSteps) else int(work.tokens > 0)
