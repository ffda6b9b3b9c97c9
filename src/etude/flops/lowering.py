"""From a blueprint to the list of operations that the backbone runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from etude.flops.architecture.blueprint import (
    AltUp,
    Attention,
    Blueprint,
    Branch,
    Convolution,
    DeltaRule,
    Dense,
    Embedding,
    Experts,
    FeedForward,
    Layer,
    Norm,
    Path,
    Positions,
    Stack,
    Sublayer,
)
from etude.flops.delta_rule import delta_rule
from etude.flops.operations import Cached, Op, Pairs, Parameter, Part, Per, Product, Role

STREAM = "stream"
"""The wire that holds the residual stream, and in the end the last hidden state."""
POOLED = "pooled"
"""The wire that holds what the pooler makes of it."""
_MEMORY = "memory"
_RELATIVE = "relative"
_EMBEDDED = "embedded"
_IDLE = "idle"
"""What the wire of parameters that nothing reads is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where in a model a module stands."""

    prefix: str
    per: Per = Per.TOKEN
    part: Part = Part.DENSE
    role: Role = Role.LINEAR
    backbone: str = ""
    """What the names of the backbone's parameters begin with, for weights that are tied to one of them."""
    adaptable: bool = True
    """Whether adapters may stand on the linear layers here."""


def lower(blueprint: Blueprint, prefix: str, *, pooler: bool) -> Iterator[Op]:
    """Every operation of one forward pass through the backbone, in order, ending on the wires STREAM and POOLED.

    Args:
        blueprint: The architecture.
        prefix: What the names of the backbone's parameters begin with (`model.`).
        pooler: Whether the pooler runs, where the architecture has one.
    """
    here = Site(prefix=prefix, backbone=prefix)
    for table in blueprint.idle:
        yield Op((), _IDLE, (Parameter(f"{prefix}{table.name}.weight", (table.rows, table.width), Role.LOOKUP),))
    if blueprint.encoder is not None:
        yield from _stack(blueprint.encoder, replace(here, per=Per.SOURCE))
        yield Op((STREAM,), _MEMORY)
    yield from _stack(blueprint.stack, here)
    if pooler and blueprint.pooler:
        yield from path(blueprint.pooler, STREAM, POOLED, replace(here, per=Per.SEQUENCE))


def path(modules: Path, source: str, target: str, place: Site) -> Iterator[Op]:
    """Modules one after the other; the first reads `source`, all write `target`."""
    if not modules and source != target:
        yield Op((source,), target)
    for module in modules:
        yield _norm(module, source, target, place) if isinstance(module, Norm) else dense(module, source, target, place)
        if isinstance(module, Dense) and module.bias_name and not module.tied_to:
            yield Op((), _IDLE, (Parameter(module.bias_name, (module.d_out,), Role.BIAS),))
        source = target


def dense(layer: Dense, source: str, target: str, place: Site) -> Op:
    """A linear layer."""
    name = place.prefix + layer.name
    shape = (layer.d_in, layer.d_out) if layer.flipped else (layer.d_out, layer.d_in)
    own = name + ".weight"
    weight = Parameter(place.backbone + layer.tied_to if layer.tied_to else own, shape, place.role)
    parameters: tuple[Parameter, ...] = (weight,)
    if layer.bias:
        parameters += (Parameter(_bias_name(layer, name), (layer.d_out,), Role.BIAS),)
    return Op(
        (source,),
        target,
        parameters,
        Product(source, weight.name, 2 * layer.d_in * layer.d_out, place.per, place.part),
        moved=layer.d_in + layer.d_out,
        moved_per=place.per,
        module=name,
        linear=(layer.d_in, layer.d_out) if place.adaptable else None,
    )


def _bias_name(layer: Dense, name: str) -> str:
    """A bias of another name is the layer's as long as its weight is tied; untied, nothing reads it."""
    return layer.bias_name if layer.bias_name and layer.tied_to else name + ".bias"


def _norm(norm: Norm, source: str, target: str, place: Site) -> Op:
    name = place.prefix + norm.name
    parameters: tuple[Parameter, ...] = ()
    if norm.weight:
        parameters += (Parameter(name + ".weight", (norm.size,), Role.NORM),)
    if norm.bias:
        parameters += (Parameter(name + ".bias", (norm.size,), Role.NORM),)
    return Op((source,), target, parameters, moved_per=place.per)


def _stack(stack: Stack, place: Site) -> Iterator[Op]:
    for index, table in enumerate(stack.embeddings):
        target = STREAM if index == 0 else "position"
        parameter = Parameter(
            place.prefix + table.name + ".weight", (table.rows, table.width), Role.LOOKUP, frozen=table.frozen
        )
        yield Op((), target, (parameter,), looked_up=table.width, moved_per=place.per)
        if index == 0:
            yield from path(stack.projection, STREAM, STREAM, place)
        else:
            yield Op((STREAM, "position"), STREAM)
    yield from path(stack.entry, STREAM, STREAM, place)
    if stack.relative is not None:
        yield _relative(stack.relative, place)
    if stack.relative_norm is not None:
        yield from _relative_norm(stack.relative_norm, stack.relative, place)
    if stack.convolution is not None:
        yield Op((STREAM,), _EMBEDDED)
    if stack.altup is not None:
        yield from _streams(stack.altup, place)
    for index, layer in enumerate(stack.layers):
        inside = replace(place, prefix=place.prefix + layer.prefix)
        if stack.altup is not None:
            yield from _altup(stack.altup, layer, inside)
            continue
        for sublayer in layer.sublayers:
            yield from _sublayer(sublayer, inside)
        if stack.convolution is not None and index == 0:
            yield from _convolution(stack.convolution, place)
    if stack.altup is not None:
        yield from _all_of(stack.altup.exit, place)
    yield from path(stack.exit, STREAM, STREAM, place)


def _all_of(layers: tuple[Dense, ...], place: Site) -> Iterator[Op]:
    """The stream and what each of these layers makes of it, as one value."""
    wires = tuple(f"made {index}" for index in range(len(layers)))
    for layer, wire in zip(layers, wires, strict=True):
        yield dense(layer, STREAM, wire, place)
    yield Op((STREAM, *wires), STREAM)


def _streams(altup: AltUp, place: Site) -> Iterator[Op]:
    """From the embedding to the residual streams, all on one wire, and to what each layer has of each token."""
    name = f"{place.prefix}{altup.table.name}.weight"
    table = Parameter(name, (altup.table.rows, altup.table.width), Role.LOOKUP)
    yield Op((), "own embedding", (table,), looked_up=altup.table.width, moved_per=place.per)
    yield from path(altup.context, STREAM, "per layer", place)
    yield Op(("per layer", "own embedding"), "per layer")
    yield from _all_of(altup.entry, place)


def _altup(altup: AltUp, layer: Layer, place: Site) -> Iterator[Op]:
    (attending,), (thinking,) = (sublayer.branches for sublayer in layer.sublayers)
    assert isinstance(attending.inner, Attention)
    assert attending.before is not None
    assert attending.after is not None
    yield from path((*altup.router, altup.prediction), STREAM, "coefficients", place)
    mixing = Product(STREAM, "coefficients", 2 * altup.width * altup.streams**2, place.per, Part.DENSE)
    moved = 2 * altup.width * altup.streams
    yield Op((STREAM, "coefficients"), "mixed", product=mixing, moved=moved, moved_per=place.per)
    yield Op((STREAM, "mixed"), "predicted")
    yield _norm(attending.before, "predicted", "normed", place)
    yield from path(altup.low_rank, "normed", "low rank", place)
    yield from _attention(attending.inner, "normed", "attended", place)
    yield _norm(attending.after, "attended", "attended", place)
    yield Op(("predicted", "normed", "low rank", "attended"), "active")
    yield from _branch(thinking, "active", "thought", place)
    yield Op(("active", "thought"), "active")
    yield from path((*altup.router, altup.correction), "active", "coefficients", place)
    yield Op(("predicted", "active", "coefficients"), "corrected")
    scale = Parameter(place.prefix + altup.scale, (altup.width,), Role.OTHER)
    yield Op(("corrected",), "scaled", (scale,) if altup.scaled else ())
    if not altup.scaled:
        yield Op((), _IDLE, (scale,))
    yield dense(altup.gate, "scaled", "gated", place)
    yield Op(("gated", "per layer"), "gated")
    yield from path(altup.projection, "gated", "gated", place)
    yield Op(("corrected", "gated"), STREAM)


def _sublayer(sublayer: Sublayer, place: Site) -> Iterator[Op]:
    source = STREAM
    if sublayer.before is not None:
        source = "normed"
        yield _norm(sublayer.before, STREAM, source, place)
    outputs = tuple(f"branch {index}" for index in range(len(sublayer.branches)))
    for branch, output in zip(sublayer.branches, outputs, strict=True):
        yield from _branch(branch, source, output, place)
    yield Op((STREAM, *outputs), STREAM)
    if sublayer.closing is not None:
        yield _norm(sublayer.closing, STREAM, STREAM, place)


def _branch(branch: Branch, source: str, target: str, place: Site) -> Iterator[Op]:
    if branch.before is not None:
        yield _norm(branch.before, source, "own normed", place)
        source = "own normed"
    match branch.inner:
        case Attention():
            yield from _attention(branch.inner, source, target, place)
        case DeltaRule():
            yield from _linear_attention(branch.inner, source, target, place)
        case FeedForward():
            yield from _feed_forward(branch.inner, source, target, place)
        case Experts():
            yield from _experts(branch.inner, source, target, place)
    if branch.after is not None:
        yield _norm(branch.after, target, target, place)


def _attention(layer: Attention, source: str, target: str, place: Site) -> Iterator[Op]:
    crossing = layer.mask == "cross"
    stored = replace(place, per=Per.MEMORY) if crossing else place
    yield from path(layer.query, source, "query", place)
    read = _MEMORY if crossing else source
    if layer.shares:
        yield Op((f"{layer.shares} key",), "key")
        yield Op((f"{layer.shares} value",), "value")
    else:
        yield from _key(layer, "query" if layer.key is None else read, stored)
        yield from path(layer.value or (), "key" if layer.value is None else read, "value", stored)
    if layer.keeps_as:
        yield Op(("key",), f"{layer.keeps_as} key")
        yield Op(("value",), f"{layer.keeps_as} value")
    if layer.relative is not None:
        yield _relative(layer.relative, place)
    extra: tuple[str, ...] = (_RELATIVE,) if layer.biased else ()
    if layer.positions is not None:
        yield from _position_scores(layer, layer.positions, place)
        extra += ("position scores",)
    if layer.sinks:
        yield Op((), "sinks", (Parameter(place.prefix + layer.sinks, (layer.heads,), Role.OTHER),))
        extra += ("sinks",)
    mask = "source" if place.per is Per.SOURCE else layer.mask
    pairs = Pairs(mask=mask, window=layer.window, chunk=layer.chunk)
    yield Op(
        ("query", "key", *extra),
        "weights",
        product=Product("query", "key", 2 * layer.heads * layer.key_dim, pairs, Part.ATTENTION),
        moved=layer.heads * layer.key_dim,
        moved_per=place.per,
        cached=Cached(elements_per_token=layer.cached, pairs=pairs) if mask in ("causal", "cross") else None,
    )
    yield Op(
        ("weights", "value"),
        target,
        product=Product("weights", "value", 2 * layer.heads * layer.value_dim, pairs, Part.ATTENTION),
        moved=layer.heads * layer.value_dim,
        moved_per=place.per,
    )
    yield from path(layer.output, target, target, place)


def _linear_attention(layer: DeltaRule, source: str, target: str, place: Site) -> Iterator[Op]:
    yield dense(layer.projection, source, "projected", place)
    yield dense(layer.rates, source, "rates", place)
    yield from delta_rule(layer, "projected", "rates", target, place.prefix)
    yield _norm(layer.norm, target, target, place)
    yield Op((target, "projected"), target)
    yield dense(layer.output, target, target, place)


def _key(layer: Attention, source: str, place: Site) -> Iterator[Op]:
    modules = layer.key or ()
    if not layer.latent:
        yield from path(modules, source, "key", place)
        return
    yield from path(modules[:-1], source, "latent", place)
    yield from path(modules[-1:], "latent", "key", replace(place, per=Per.SEEN))


def _relative(table: Embedding, place: Site) -> Op:
    name = place.prefix + table.name + ".weight"
    return Op((), _RELATIVE, (Parameter(name, (table.rows, table.width), Role.LOOKUP),), moved_per=place.per)


def _relative_norm(norm: Norm, table: Embedding | None, place: Site) -> Iterator[Op]:
    if table is None:
        yield Op((), _RELATIVE)
    yield _norm(norm, _RELATIVE, _RELATIVE, replace(place, per=Per.PASS))


def _position_scores(layer: Attention, positions: Positions, place: Site) -> Iterator[Op]:
    """Projections of the table, each once for a pass, and the scores of every token against all of its rows."""
    once = replace(place, per=Per.PASS)
    for projection, wire in ((positions.keys, "position keys"), (positions.queries, "position queries")):
        if projection is not None:
            yield _times(dense(projection, _RELATIVE, wire, once), positions.rows)
    yield Op((), "position scores")
    for scored, content, wire in (
        (positions.content_to_position, "query", "position keys"),
        (positions.position_to_content, "key", "position queries"),
    ):
        if scored:
            price = 2 * layer.heads * layer.key_dim * positions.rows
            product = Product(content, wire, price, place.per, Part.ATTENTION)
            moved = layer.heads * (layer.key_dim + positions.rows)
            yield Op((content, wire), "scored", product=product, moved=moved, moved_per=place.per)
            yield Op(("position scores", "scored"), "position scores")


def _times(op: Op, rows: int) -> Op:
    """An operation on so many rows at once."""
    assert op.product is not None
    return replace(op, product=replace(op.product, flops=op.product.flops * rows), moved=op.moved * rows)


def _convolution(layer: Convolution, place: Site) -> Iterator[Op]:
    name = place.prefix + layer.name
    weight = Parameter(f"{name}.weight", (layer.width, layer.width // layer.groups, layer.kernel), Role.OTHER)
    bias = Parameter(f"{name}.bias", (layer.width,), Role.BIAS)
    product = Product(_EMBEDDED, weight.name, 2 * weight.size, place.per, Part.DENSE)
    moved = 2 * layer.width
    yield Op((_EMBEDDED,), "convolved", (weight, bias), product, moved=moved, moved_per=place.per)
    yield Op((STREAM, "convolved"), STREAM)
    yield _norm(layer.norm, STREAM, STREAM, place)


def _feed_forward(layer: FeedForward, source: str, target: str, place: Site) -> Iterator[Op]:
    inner = tuple(f"inner {index}" for index in range(len(layer.up)))
    for up, wire in zip(layer.up, inner, strict=True):
        yield dense(up, source, wire, place)
    yield Op(inner, "inner")
    yield from path(layer.down, "inner", target, place)


def _experts(layer: Experts, source: str, target: str, place: Site) -> Iterator[Op]:
    yield dense(layer.router, source, "routing", replace(place, adaptable=False))
    routed = source
    if layer.scaled_first:
        routed = "routed"
        yield Op((source, "routing"), routed)
    yield from _chosen_experts(layer, routed, "chosen", place)
    outputs: tuple[str, ...] = ("chosen",) if layer.scaled_first else ("chosen", "routing")
    if layer.shared is not None:
        yield from _feed_forward(layer.shared, source, "shared", place)
        outputs += ("shared",)
    if layer.shared_gate is not None:
        yield dense(layer.shared_gate, source, "gate", place)
        outputs += ("gate",)
    yield Op(outputs, target)


def _chosen_experts(layer: Experts, source: str, target: str, place: Site) -> Iterator[Op]:
    share = layer.active / layer.count
    for name, wire, out, d_in, d_out in (
        ("gate_up_proj", source, "expert inner", layer.d_model, 2 * layer.d_expert),
        ("down_proj", "expert inner", target, layer.d_expert, layer.d_model),
    ):
        shape = (layer.count, d_in, d_out) if layer.flipped else (layer.count, d_out, d_in)
        weight = Parameter(place.prefix + layer.name + name, shape, Role.EXPERT, used_share=share)
        parameters: tuple[Parameter, ...] = (weight,)
        if layer.bias:
            bias = place.prefix + layer.name + name + "_bias"
            parameters += (Parameter(bias, (layer.count, d_out), Role.BIAS, used_share=share),)
        yield Op(
            (wire,),
            out,
            parameters,
            Product(wire, weight.name, 2 * d_in * d_out * layer.active, place.per, Part.EXPERTS),
            moved=(d_in + d_out) * layer.active,
            moved_per=place.per,
        )
