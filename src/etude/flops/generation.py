"""What generating text costs: a prefill, then one step for each token after the first."""

from __future__ import annotations

from collections.abc import Iterator

from etude.errors import require
from etude.flops.cost import Cost, GenerationCost
from etude.flops.forward import Lengths, lengths, positive, priced
from etude.flops.model import Model
from etude.flops.operations import Per
from etude.flops.tally import tally
from etude.flops.work import CachedSteps, Pass, UncachedSteps

Steps = CachedSteps | UncachedSteps


def generation(
    model: Model,
    prompt_tokens: Lengths,
    new_tokens: Lengths,
    *,
    batch: int = 1,
    cache: bool = True,
    padded_to: int | None = None,
) -> GenerationCost:
    """What it costs to generate text for one batch, greedily or by sampling (one sequence for each prompt).

    n new tokens are one prefill, which gives the first of them, and n - 1 decode steps. Prompts are padded to the
    longest, and every row runs until the last has ended: that is what is issued. What is useful is each row by itself.

    Args:
        model: A decoder, or an encoder-decoder, with a language head.
        prompt_tokens: Tokens of each prompt; of the source for an encoder-decoder, whose decoder starts from one token.
        new_tokens: Tokens generated for each prompt, the end token included; 1 or more.
        batch: How many times the batch holds these prompts.
        cache: Whether keys and values are kept. Without, every step runs the whole sequence.
        padded_to: Length that every prompt is padded to; the longest of the batch where it is left out.

    Raises:
        ConfigError: A model that does not generate, a prompt or output of no token, a prompt above `padded_to`.
    """
    _check(model)
    prompts = lengths(prompt_tokens, "prompt_tokens")
    outputs = lengths(new_tokens, "new_tokens", len(prompts))
    require(all(prompts), "prompt_tokens", prompt_tokens, "1 or more for each prompt")
    require(all(outputs), "new_tokens", new_tokens, "1 or more for each prompt")
    longest = max(prompts, default=0)
    require(
        padded_to is None or padded_to >= longest, "padded_to", padded_to, f"at least the longest prompt, {longest}"
    )
    wide, last = padded_to or longest, max(outputs, default=0)
    useful = [_works(model, prompt, output, cache) for prompt, output in zip(prompts, outputs, strict=True)]
    issued = [_works(model, wide, last, cache)] * len(prompts)
    times = positive(batch, "batch")
    decode = Cost(
        useful=tally(model.forward, [steps for _, steps in useful]),
        issued=tally(model.forward, [steps for _, steps in issued]),
        samples=len(prompts),
        useful_tokens=sum(_positions(steps) for _, steps in useful),
        issued_tokens=sum(_positions(steps) for _, steps in issued),
    )
    prefill = priced(model.forward, [first for first, _ in useful], [first for first, _ in issued])
    return GenerationCost(prefill=prefill * times, decode=decode * times)


def request_flops(
    model: Model, prompt_tokens: Lengths, new_tokens: Lengths, *, cache: bool = True
) -> list[tuple[int, int]]:
    """Useful FLOPs of each request, prefill and decode, by the `causal_exact` convention: the key for splitting energy.

    Arguments and errors are those of `generation`.
    """
    _check(model)
    prompts = lengths(prompt_tokens, "prompt_tokens")
    outputs = lengths(new_tokens, "new_tokens", len(prompts))
    require(all(outputs), "new_tokens", new_tokens, "1 or more for each prompt")
    found = {pair: tuple(_request(model, *pair, cache)) for pair in set(zip(prompts, outputs, strict=True))}
    return [(prefill, decode) for prefill, decode in (found[pair] for pair in zip(prompts, outputs, strict=True))]


def _request(model: Model, prompt: int, output: int, cache: bool) -> Iterator[int]:
    for work in _works(model, prompt, output, cache):
        yield tally(model.forward, (work,)).causal_exact_flops or 0


def _check(model: Model) -> None:
    able = model.kind != "encoder" and model.head == "language"
    require(able, "model", f"{model.model_type} with head {model.head!r}", "a decoder with a language head")


def _works(model: Model, prompt: int, output: int, cache: bool) -> tuple[Pass, Steps]:
    """The first pass, and all steps after it."""
    if model.kind == "encoder-decoder":
        first, start, context = Pass(1, 0, 1, source=prompt, memory=prompt, context=prompt), 1, prompt
    else:
        first, start, context = Pass(prompt, 0, 1 if model.keeps_last_logits else prompt), prompt, 0
    if cache:
        return first, CachedSteps(start, output - 1, context)
    return first, UncachedSteps(start + 1, output - 1, context, model.keeps_last_logits)


def _positions(steps: Steps) -> int:
    return steps.amount(Per.TOKEN, False)
