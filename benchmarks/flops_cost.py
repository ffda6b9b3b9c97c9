"""What a FLOPs figure costs to compute, and how it compares with other tools: `python benchmarks/flops_cost.py`.

Durations are CPU time of this process, so that a busy machine does not change them; medians of the repeats, after one
that is dropped, with the least and the most. Tools that are not installed are left out, and said to be.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from etude import flops

LLAMA_1B = {
    "model_type": "llama",
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "vocab_size": 128256,
    "tie_word_embeddings": True,
}
SMALL = {
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 688,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 8000,
    "pad_token_id": 0,
}
TOKENS = 256
BAR_US = 50.0


def durations_us(run: Callable[[], object], repeats: int, inner: int = 1) -> list[float]:
    """CPU microseconds of each repeat, divided by `inner` runs in each, the first repeat dropped."""
    found = []
    for _ in range(repeats + 1):
        began = time.process_time()
        for _ in range(inner):
            run()
        found.append((time.process_time() - began) / inner * 1e6)
    return found[1:]


def shown(found: list[float], samples: int = 1) -> str:
    """Median and spread for each sample."""
    middle = statistics.median(found) / samples
    return f"{middle:9.2f} us  ({min(found) / samples:.2f} to {max(found) / samples:.2f})"


def our_cost() -> None:
    """Microseconds for each sample, in the ways that they are asked for."""
    model = flops.describe(LLAMA_1B)
    chance = random.Random(0)
    many = [chance.randint(5, 2000) for _ in range(10_000)]
    new = [chance.randint(1, 300) for _ in range(10_000)]
    lengths = iter(many * 1000)
    flops.training(model, 3, trainable="all")
    asked: list[tuple[str, Callable[[], object], int]] = [
        ("forward, one sample", lambda: flops.forward(model, next(lengths)), 1),
        ("training step, one sample", lambda: flops.training(model, next(lengths), trainable="all"), 1),
        ("generation, one request", lambda: flops.generation(model, next(lengths), 100), 1),
        ("forward, 10,000 samples", lambda: flops.forward(model, many), 10_000),
        ("generation, 10,000 requests", lambda: flops.generation(model, many, new), 10_000),
        ("FLOPs of each of 10,000 requests", lambda: flops.request_flops(model, many, new), 10_000),
    ]
    print(f"Llama 1B, no weights; the bar is {BAR_US:.0f} us for each sample of its own length")
    for name, run, samples in asked:
        found = durations_us(run, repeats=20, inner=200 if samples == 1 else 1)
        met = "met" if statistics.median(found) / samples <= BAR_US else "MISSED"
        print(f"  {name:<34} {shown(found, samples)}  {met}")
    print(f"  {'describing the model, once':<34} {shown(durations_us(lambda: flops.describe(LLAMA_1B), 20))}")


def beside_others() -> None:
    """The same forward pass by other tools: FLOPs as a share of the exact figure, and what one sample costs."""
    exact = flops.forward(flops.describe(SMALL), TOKENS).useful.torch_flops
    print(f"\nA small Llama (4 layers of 256, 8 heads on 2), {TOKENS} tokens; exact: {exact:,} FLOPs")
    model = flops.describe(SMALL)
    ours = durations_us(lambda: flops.forward(model, TOKENS), 20, inner=200)
    print(f"  {'this package':<44} 1.0000  {shown(ours)}")
    try:
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM
    except ImportError:
        print("  torch or transformers is not installed: no comparison")
        return
    for attention in ("eager", "sdpa"):
        config = AutoConfig.for_model(**SMALL)
        network = AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval()
        network.config.use_cache = False
        for name, tool in others(network, torch):
            try:
                value = tool()
            except ImportError:
                print(f"  {name + ', ' + attention:<44} not installed")
                continue
            print(f"  {name + ', ' + attention:<44} {value / exact:6.4f}  {shown(durations_us(tool, 5))}")


def others(network: Any, torch: Any) -> list[tuple[str, Callable[[], int]]]:
    """Each tool as a function that gives FLOPs, multiply-adds doubled."""
    ids = torch.ones((1, TOKENS), dtype=torch.long)

    def counter() -> int:
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as count, torch.no_grad():
            network(input_ids=ids)
        return count.get_total_flops()

    def ptflops(backend: str) -> int:
        from ptflops import get_model_complexity_info

        multiply_adds, _ = get_model_complexity_info(
            network,
            (TOKENS,),
            input_constructor=lambda shape: {"input_ids": ids},
            as_strings=False,
            print_per_layer_stat=False,
            backend=backend,
        )
        return 2 * int(multiply_adds or 0)

    def calflops() -> int:
        from calflops import calculate_flops

        found, _, _ = calculate_flops(
            model=network,
            kwargs={"input_ids": ids},
            print_results=False,
            print_detailed=False,
            output_as_string=False,
        )
        return int(found)

    return [
        ("torch FlopCounterMode", counter),
        ("ptflops (pytorch), x 2", lambda: ptflops("pytorch")),
        ("ptflops (aten), x 2", lambda: ptflops("aten")),
        ("calflops", calflops),
    ]


if __name__ == "__main__":
    our_cost()
    beside_others()
