"""Generating text: what `generate` of transformers runs, and properties of the steps."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import flops_oracle as oracle
from etude import flops
from etude.errors import ConfigError

QUICK = {"llama", "gemma2", "deepseek_v3", "t5"}
NAMES = [
    name
    for name, head in oracle.CASES
    if head == "language"
    and "bidirectional" not in name
    and (oracle.config(name).is_encoder_decoder or not oracle.is_encoder(oracle.config(name)))
]
LLAMA = flops.describe(oracle.config("llama"))
counts = st.integers(1, 40)


@pytest.mark.parametrize("cache", [True, False], ids=["cache", "no cache"])
@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in NAMES])
def test_generation_costs_what_torch_counts(name: str, cache: bool) -> None:
    config = oracle.config(name)
    model = oracle.build(config, "language", device="cpu").eval()
    ids = torch.randint(3, 100, (2, 8), generator=torch.Generator().manual_seed(0))
    with oracle.counting() as so_far, torch.no_grad():
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            min_new_tokens=6,
            max_new_tokens=6,
            do_sample=False,
            use_cache=cache,
        )
    cost = flops.generation(flops.describe(config, head="language"), [8, 8], 6, cache=cache)
    assert cost.total.issued.torch_flops == so_far()


@given(st.sampled_from(["llama", "gemma2", "t5"]), counts, counts)
@settings(max_examples=30, deadline=None)
def test_generation_is_a_prefill_and_one_step_for_each_further_token(name: str, prompt: int, new: int) -> None:
    model = flops.describe(oracle.config(name))
    cost = flops.generation(model, prompt, new)
    if name == "t5":
        first = flops.forward(model, prompt, target=1)
        steps = [flops.forward(model, prompt, target=1, cached=1 + done) for done in range(new - 1)]
    else:
        first = flops.forward(model, prompt, logits="last")
        steps = [flops.forward(model, 1, cached=prompt + done) for done in range(new - 1)]
    assert cost.prefill == first
    assert cost.decode.useful == flops.total(steps).useful


@given(counts, counts)
@settings(max_examples=30, deadline=None)
def test_without_a_cache_every_step_is_a_whole_pass(prompt: int, new: int) -> None:
    cost = flops.generation(LLAMA, prompt, new, cache=False)
    passes = flops.total(flops.forward(LLAMA, prompt + done, logits="last") for done in range(new))
    assert cost.total.useful == passes.useful


@given(counts, counts)
@settings(max_examples=30, deadline=None)
def test_a_cache_saves_all_but_the_last_prompt_pass(prompt: int, new: int) -> None:
    """What is computed with a cache is one pass over everything but the last token, scored where tokens were drawn."""
    cost = flops.generation(LLAMA, prompt, new).total.useful
    whole = flops.forward(LLAMA, prompt + new - 1, logits="none").useful
    head = flops.forward(LLAMA, new, logits="all").useful.head_flops
    assert cost.causal_exact_flops == (whole.causal_exact_flops or 0) + head


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_every_row_runs_until_the_last_has_ended(requests: list[tuple[int, int]]) -> None:
    prompts, new = [p for p, _ in requests], [n for _, n in requests]
    cost = flops.generation(LLAMA, prompts, new).total
    alone = flops.total(flops.generation(LLAMA, p, n).total for p, n in requests)
    assert cost.useful == alone.useful
    assert cost.issued == flops.generation(LLAMA, max(prompts), max(new), batch=len(requests)).total.useful
    assert cost.samples == len(requests)


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_the_flops_of_requests_sum_to_what_was_useful(requests: list[tuple[int, int]]) -> None:
    prompts, new = [p for p, _ in requests], [n for _, n in requests]
    cost, each = flops.generation(LLAMA, prompts, new), flops.request_flops(LLAMA, prompts, new)
    assert sum(prefill for prefill, _ in each) == cost.prefill.useful.causal_exact_flops
    assert sum(decode for _, decode in each) == cost.decode.useful.causal_exact_flops


def test_one_new_token_is_the_prefill_alone() -> None:
    cost = flops.generation(LLAMA, 12, 1)
    assert cost.decode.useful.torch_flops == 0
    assert cost.prefill == flops.forward(LLAMA, 12, logits="last")


@pytest.mark.parametrize(
    ("prompt", "new", "field"), [(0, 3, "prompt_tokens"), (3, 0, "new_tokens"), ([3, 4], [1], "new")]
)
def test_no_tokens_are_refused(prompt: int, new: int, field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        flops.generation(LLAMA, prompt, new)


@pytest.mark.parametrize(("name", "head"), [("bert", "language"), ("llama", "classification")])
def test_a_model_that_does_not_generate_is_refused(name: str, head: str) -> None:
    with pytest.raises(ConfigError, match="language head"):
        flops.generation(flops.describe(oracle.config(name), head=head), 3, 3)  # type: ignore[arg-type]
