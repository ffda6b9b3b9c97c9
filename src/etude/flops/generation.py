"""What generating text costs: a prefill, then one step for each token after the first."""

from __future__ import annotations

from etude.errors import require
from etude.flops.cost import GenerationCost
from etude.flops.forward import Lengths, lengths, price
from etude.flops.model import Model
from etude.flops.tally import tally
from etude.flops.work import CachedSteps, Pass, UncachedSteps, Work

Steps = CachedSteps | UncachedSteps
Works = tuple[Pass, Steps]
"""What one prompt asks for: the prefill, and all steps after it."""


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
    useful, issued = generation_works(model, prompt_tokens, new_tokens, padded_to, cache=cache)
    later = [steps for _, steps in issued]
    return GenerationCost(
        prefill=price(model.forward, [first for first, _ in useful], [first for first, _ in issued], batch=batch),
        decode=price(
            model.forward,
            [steps for _, steps in useful],
            later,
            batch=batch,
            passes=max((steps.steps for steps in later), default=0),
        ),
    )


def request_flops(
    model: Model, prompt_tokens: Lengths, new_tokens: Lengths, *, cache: bool = True
) -> list[tuple[int, int]]:
    """Useful FLOPs of each request, prefill and decode, by the `causal_exact` convention: a key for splitting energy.

    Arguments and errors are those of `generation`. What a pass does once, whatever the batch holds, is in no request.
    """
    useful, _ = generation_works(model, prompt_tokens, new_tokens, None, cache=cache)
    found = {works: (_exact(model, works[0]), _exact(model, works[1])) for works in set(useful)}
    return [found[works] for works in useful]


def generation_works(
    model: Model, prompt_tokens: Lengths, new_tokens: Lengths, padded_to: int | None, *, cache: bool
) -> tuple[list[Works], list[Works]]:
    """For each prompt of a batch what is useful, and what runs.

    Arguments and errors are those of `generation`.
    """
    able = model.kind != "encoder" and model.head == "language"
    require(able, "model", f"{model.model_type} with head {model.head!r}", "a decoder with a language head")
    prompts = lengths(prompt_tokens, "prompt_tokens")
    outputs = lengths(new_tokens, "new_tokens", len(prompts))
    require(all(prompts), "prompt_tokens", prompt_tokens, "1 or more for each prompt")
    require(all(outputs), "new_tokens", new_tokens, "1 or more for each prompt")
    longest = max(prompts, default=0)
    require(padded_to is None or padded_to >= longest, "padded_to", padded_to, f"at least the longest, {longest}")
    wide, last = padded_to or longest, max(outputs, default=0)
    useful = [_works(model, prompt, output, cache) for prompt, output in zip(prompts, outputs, strict=True)]
    return useful, [_works(model, wide, last, cache)] * len(prompts)


def _works(model: Model, prompt: int, output: int, cache: bool) -> Works:
    if model.kind == "encoder-decoder":
        first, start, context = Pass(1, 0, 1, source=prompt, memory=prompt, context=prompt, keeps=cache), 1, prompt
    else:
        first, start, context = Pass(prompt, 0, 1 if model.keeps_last_logits else prompt, keeps=cache), prompt, 0
    if cache:
        return first, CachedSteps(start, output - 1, context)
    return first, UncachedSteps(start + 1, output - 1, context, model.keeps_last_logits)


def _exact(model: Model, work: Work) -> int:
    return tally(model.forward, (work,)).causal_exact_flops or 0
