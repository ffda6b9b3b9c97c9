"""Draws from generators of random numbers that the whole process shares: by chance, unless something seeds them."""

from __future__ import annotations

_RANDOM = (
    "betavariate binomialvariate choice choices expovariate gammavariate gauss getrandbits lognormvariate "
    "normalvariate paretovariate randbytes randint random randrange sample shuffle triangular uniform vonmisesvariate "
    "weibullvariate"
)
_NO_DRAW = (
    "BitGenerator Generator MT19937 PCG64 PCG64DXSM Philox RandomState SFC64 SeedSequence default_rng get_state seed "
    "set_state"
)
_TORCH = (
    "bernoulli multinomial normal poisson rand rand_like randint randint_like randn randn_like randperm "
    "nn.functional.dropout nn.functional.gumbel_softmax utils.data.RandomSampler utils.data.WeightedRandomSampler "
    "utils.data.random_split"
)
_LAYERS: tuple[str, ...] = (
    "nn.init.",
    "nn.Linear",
    "nn.LazyLinear",
    "nn.Bilinear",
    "nn.Conv",
    "nn.Embedding",
    "nn.LSTM",
)
_LAYERS += ("nn.GRU", "nn.RNN", "nn.Transformer", "nn.MultiheadAttention", "nn.Dropout", "nn.AlphaDropout")

_ALL = ("random", "numpy.random", "torch")
_SEEDS = {
    "random.seed": ("random",),
    "random.setstate": ("random",),
    "numpy.random.seed": ("numpy.random",),
    "numpy.random.set_state": ("numpy.random",),
    "torch.manual_seed": ("torch",),
    "torch.random.manual_seed": ("torch",),
    "torch.set_rng_state": ("torch",),
    "torch.random.set_rng_state": ("torch",),
    "transformers.set_seed": _ALL,
    "transformers.enable_full_determinism": _ALL,
    "accelerate.utils.set_seed": _ALL,
    "lightning.seed_everything": _ALL,
    "lightning.pytorch.seed_everything": _ALL,
    "lightning.fabric.seed_everything": _ALL,
    "pytorch_lightning.seed_everything": _ALL,
}
_UNSEEDED = frozenset({"random.Random", "numpy.random.default_rng", "numpy.random.RandomState"})
_DRAWS = {
    **{f"random.{name}": "random" for name in _RANDOM.split()},
    **{f"torch.{name}": "torch" for name in _TORCH.split()},
}


def drawn_from(dotted: str) -> str | None:
    """The shared generator that a call of this draws from, if any."""
    if dotted in _DRAWS:
        return _DRAWS[dotted]
    package, _, rest = dotted.partition(".")
    if package == "torch":
        return "torch" if rest.startswith(_LAYERS) else None
    module, _, name = dotted.rpartition(".")
    return "numpy.random" if module == "numpy.random" and name not in _NO_DRAW.split() else None


def seeded_by(dotted: str) -> tuple[str, ...]:
    """The shared generators that this seeds."""
    return _SEEDS.get(dotted, ())


def lacks_seed(dotted: str) -> bool:
    """Whether this, called with nothing, makes a generator by chance."""
    return dotted in _UNSEEDED


def reason(generator: str) -> str:
    """What a plan says of a draw that nothing seeds."""
    return f"draws from the shared generator of {generator}, which nothing seeds: equal runs may differ"
