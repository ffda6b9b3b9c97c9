"""The gated delta rule in chunks, as transformers runs it without kernels of its own, and as it is differentiated.

Within a chunk of c tokens a triangular system stands for one update of the state after the other; from chunk to chunk a
state of key size times value size is carried on. Source: Yang et al., Gated Delta Networks (2024), and
`torch_chunk_gated_delta_rule` of transformers. Triangular solves are no products and count nothing, but their gradient
has one. A single token beside a cached state is sums alone, without a product.
"""

from __future__ import annotations

from collections.abc import Iterator

from etude.flops.architecture.blueprint import DeltaRule
from etude.flops.operations import Chunks, Convolved, Op, Parameter, Part, Per, Product, RecurrentState, Role

CHUNK = 64
"""Tokens of a chunk: transformers' default, which no config sets."""


def delta_rule(layer: DeltaRule, projected: str, rates: str, target: str, prefix: str) -> Iterator[Op]:
    """Every operation between the projections and the norm of the output.

    Args:
        layer: The sizes.
        projected: The wire with queries, keys and values.
        rates: The wire with the rates of forgetting and learning.
        target: The wire that the output is written to.
        prefix: What the names of the layer's parameters begin with.
    """
    kernel = Parameter(f"{prefix}{layer.convolution}.weight", (layer.channels, 1, layer.kernel), Role.OTHER)
    yield Op(
        (projected,),
        "mixed",
        (kernel,),
        Product(projected, kernel.name, 2 * layer.kernel * layer.channels, Convolved(kernel=layer.kernel), Part.DENSE),
        moved=2 * layer.channels,
        state=RecurrentState(
            elements=layer.kernel * layer.channels, float32_elements=layer.heads * layer.key_dim * layer.value_dim
        ),
    )
    vectors = tuple(Parameter(prefix + name, (layer.heads,), Role.OTHER) for name in layer.decay)
    yield Op((rates,), "decay", vectors)
    yield Op(("mixed", rates), "learnt")
    yield Op(("mixed", "decay"), "decayed")
    yield from _within(layer)
    yield from _across(layer, target)


def _within(layer: DeltaRule) -> Iterator[Op]:
    """What each chunk computes from its own tokens: `learnt` is keys or values times the rate of learning."""
    keys = 2 * layer.heads * CHUNK * CHUNK * layer.key_dim
    values = 2 * layer.heads * CHUNK * CHUNK * layer.value_dim
    yield Op(("learnt", "mixed"), "system", product=_product("learnt", "mixed", keys))
    yield Op(("system", "decay"), "system")
    yield Op(("mixed",), "scores", product=_product("mixed", "mixed", keys))
    yield Op(("scores", "decay"), "scores")
    yield Op(("system", "learnt"), "solved values", product=_product("system", "", values, backward_only=True))
    yield Op(("system", "learnt", "decay"), "solved keys", product=_product("system", "", keys, backward_only=True))


def _across(layer: DeltaRule, target: str) -> Iterator[Op]:
    """What the chunks hand on. The first starts from zeros and nothing reads the last state: neither has a gradient."""
    stepped = 2 * layer.heads * CHUNK * layer.key_dim * layer.value_dim
    mixing = 2 * layer.heads * CHUNK * CHUNK * layer.value_dim

    def carried(left: str, right: str = "") -> Product:
        return _product(left, right, stepped, carried=True, backward_only=True)

    yield Op(("decayed", "solved values", "decay"), "state", product=carried("decayed", "solved values"))
    yield Op(("solved keys", "state"), "known", product=_product("solved keys", "", stepped))
    yield Op(("known", "state"), "known", product=carried("state"))
    yield Op(("solved values", "known"), "new values")
    yield Op(("decayed", "state"), "read", product=_product("decayed", "", stepped))
    yield Op(("read", "state"), "read", product=carried("state"))
    yield Op(("scores", "new values"), target, product=_product("scores", "new values", mixing))
    yield Op(
        (target, "read"),
        target,
        moved=layer.channels + layer.heads * layer.value_dim,
        moved_per=Per.TOKEN,
    )
    yield Op(("decayed", "new values"), "last state", product=_product("decayed", "new values", stepped))


def _product(left: str, right: str, flops: int, *, carried: bool = False, backward_only: bool = False) -> Product:
    return Product(left, right, flops, Chunks(size=CHUNK, carried=carried), Part.DENSE, backward_only)
