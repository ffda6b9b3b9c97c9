"""Where the padding stands and how much there is never changes a logit; the library's own heads say what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from backbones import CAUSAL, ENCODERS, batch, made, texts
from etude.errors import ConfigError, StepError
from etude.nn.backbone import BackboneCard, most_tokens, open_network, quiet, require_readable, write_card
from etude.nn.classifier import Classifier, build_classifier, require_blind_to_padding
from etude.nn.classifier_heads import LibraryHead
from etude.nn.classifier_spec import ClassifierSpec, HeadSpec, PoolingKind, SpectralSpec, TuningSpec
from etude.nn.randomness import fixed_seed

POOLINGS = get_args(PoolingKind)
FILTERS: dict[str, SpectralSpec | None] = {
    "none": None,
    "low": SpectralSpec(kind="low", cutoff=0.2),
    "high": SpectralSpec(kind="high", cutoff=0.1, boundary="circular"),
    "band": SpectralSpec(kind="band", cutoff=0.1, upper=0.3, edge="smooth"),
    "learned": SpectralSpec(kind="low", cutoff=0.2, edge="smooth", learned=True),
    "legacy of a fixed length": SpectralSpec(kind="legacy", cutoff=0.4, length=32),
}
_built: dict[tuple[str, str, str, bool], Classifier] = {}


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("backbones")
    return {name: made(name, root / name) for name in (*ENCODERS, *CAUSAL)}


def classifier(folder: Path, pooling: PoolingKind, filtering: str, mix: bool = False) -> Classifier:
    key = (str(folder), pooling, filtering, mix)
    if key not in _built:
        heads = 3 if pooling == "attention" else 1
        spec = ClassifierSpec(pooling=pooling, pooling_heads=heads, spectral=FILTERS[filtering], layer_mix=mix)
        _built[key] = build_classifier(folder, spec, 4, seed=1).eval()
    return _built[key]


def placed(rows: list[list[int]], starts: list[int], room: int, junk: int) -> tuple[Tensor, Tensor]:
    """Texts at given places in rows that are otherwise some other token."""
    ids, mask = torch.full((len(rows), room), junk), torch.zeros(len(rows), room, dtype=torch.long)
    for row, (own, start) in enumerate(zip(rows, starts, strict=True)):
        ids[row, start : start + len(own)] = torch.tensor(own)
        mask[row, start : start + len(own)] = 1
    return ids, mask


def sensible(pooling: str, filtering: str) -> bool:
    return not (pooling == "mean" and filtering in ("high", "band"))


@settings(max_examples=40, deadline=None)
@given(
    architecture=st.sampled_from(["bert", "llama"]),
    how=st.sampled_from([(kind, name) for kind in POOLINGS for name in FILTERS if sensible(kind, name)]),
    mix=st.booleans(),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    extra=st.integers(0, 20),
    junk=st.integers(0, 49),
    data=st.data(),
)
def test_no_side_amount_or_content_of_padding_changes_a_logit(
    folders: dict[str, Path],
    architecture: str,
    how: tuple[PoolingKind, str],
    mix: bool,
    lengths: list[int],
    extra: int,
    junk: int,
    data: st.DataObject,
) -> None:
    model = classifier(folders[architecture], *how, mix)
    rows = texts(*lengths)
    room = max(lengths) + extra
    starts = [data.draw(st.integers(0, room - length)) for length in lengths]
    with torch.inference_mode():
        alone = torch.cat([model(torch.tensor([row]), torch.ones(1, len(row))) for row in rows])
        together = model(*placed(rows, starts, room, junk))
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("architecture", [*ENCODERS, *CAUSAL])
@pytest.mark.parametrize("head", ["linear", "default"])
def test_it_is_so_for_every_architecture_with_our_head_and_its_own(
    architecture: str, head: str, folders: dict[str, Path]
) -> None:
    pooling = None if head == "default" else "mean"
    spec = ClassifierSpec(pooling=pooling, head=HeadSpec(kind=head))  # type: ignore[arg-type]
    model = build_classifier(folders[architecture], spec, 4, seed=1).eval()
    rows = texts(1, 3, 12, 7)
    with torch.inference_mode():
        alone = torch.cat([model(torch.tensor([row]), torch.ones(1, len(row))) for row in rows])
        for starts in ([0, 0, 0, 0], [19, 17, 8, 13], [4, 9, 1, 6]):
            torch.testing.assert_close(model(*placed(rows, starts, 20, 7)), alone, atol=1e-5, rtol=0)
    assert (alone - alone[0]).abs().max() > 1e-3


def test_the_legacy_filter_over_the_batch_as_it_comes_depends_on_the_padding(folders: dict[str, Path]) -> None:
    spec = ClassifierSpec(pooling="mean", spectral=SpectralSpec(kind="legacy", cutoff=0.4))
    model = build_classifier(folders["bert"], spec, 4, seed=1).eval()
    short, long = texts(3, 16)
    with torch.inference_mode():
        alone = model(torch.tensor([short]), torch.ones(1, 3))
        beside = model(*placed([short, long], [0, 0], 16, 0))[:1]
    assert (alone - beside).abs().max() > 1e-3


@pytest.mark.parametrize("architecture", [*ENCODERS, *CAUSAL])
def test_the_own_head_gives_the_librarys_logits(architecture: str, folders: dict[str, Path]) -> None:
    ours = build_classifier(
        folders[architecture], ClassifierSpec(pooling=None, head=HeadSpec(kind="default")), 4, seed=1
    ).eval()
    with fixed_seed(1), quiet():
        theirs = AutoModelForSequenceClassification.from_pretrained(folders[architecture], num_labels=4).eval()
    ids, mask = batch(3, 12, 7)
    with torch.inference_mode():
        expected = theirs(input_ids=ids, attention_mask=mask).logits
        torch.testing.assert_close(ours(ids, mask), expected, atol=1e-6, rtol=0)


def test_a_text_that_ends_in_the_padding_id_is_scored_at_its_own_end(folders: dict[str, Path]) -> None:
    model = build_classifier(
        folders["llama"], ClassifierSpec(pooling=None, head=HeadSpec(kind="default")), 4, seed=1
    ).eval()
    with torch.inference_mode():
        ends_in_pad = model(torch.tensor([[1, 9, 0]]), torch.tensor([[1, 1, 1]]))
        beside = model(torch.tensor([[1, 9, 0, 0, 0], [1, 9, 8, 7, 6]]), torch.tensor([[1, 1, 1, 0, 0], [1] * 5]))
        without = model(torch.tensor([[1, 9]]), torch.tensor([[1, 1]]))
    torch.testing.assert_close(beside[:1], ends_in_pad, atol=1e-6, rtol=0)
    assert (ends_in_pad - without).abs().max() > 1e-3


def test_only_the_scored_token_is_projected_by_a_causal_models_own_head(folders: dict[str, Path]) -> None:
    spec = ClassifierSpec(pooling=None, head=HeadSpec(kind="default"))
    model = build_classifier(folders["llama"], spec, 4, seed=1).eval()
    assert not isinstance(model.head, LibraryHead)
    seen: list[torch.Size] = []
    model.projection.register_forward_pre_hook(lambda module, given: seen.append(given[0].shape))
    model(*batch(3, 12, 7))
    assert seen == [torch.Size([3, 16])]


def test_a_probe_computes_no_gradient_in_the_backbone_and_leaves_its_dropout_off(folders: dict[str, Path]) -> None:
    spec = ClassifierSpec(pooling="mean", tuning=TuningSpec(method="probe"))
    model = build_classifier(folders["bert"], spec, 4, seed=1)
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    states: list[Tensor] = []
    model.backbone.register_forward_hook(lambda module, given, found: states.append(found.last_hidden_state))
    for _ in range(2):
        model(*batch(3, 12)).sum().backward()
    assert not any(each.requires_grad for each in states)
    assert torch.equal(*states)
    assert model.training
    assert not model.backbone.training
    assert all(parameter.grad is None for parameter in model.backbone.parameters())
    assert all(parameter.grad is not None for parameter in model.head.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.backbone.state_dict().items())


def test_mixed_layers_begin_as_their_mean_and_are_learned(folders: dict[str, Path]) -> None:
    model = build_classifier(folders["bert"], ClassifierSpec(pooling="mean", layer_mix=True), 4, seed=1).eval()
    assert model.mix is not None
    ids, mask = batch(5)
    found = model.network(ids, attention_mask=mask, output_hidden_states=True).hidden_states
    assert len(found) == 3
    torch.testing.assert_close(model.mix(found), torch.stack(found).mean(dim=0))
    model(ids, mask).sum().backward()
    assert model.mix.weight.grad is not None
    assert model.mix.weight.grad.abs().max() > 0


def test_the_head_is_drawn_under_the_seed_and_nothing_else_is(folders: dict[str, Path]) -> None:
    spec = ClassifierSpec(pooling="mean")
    first, again, other = (build_classifier(folders["bert"], spec, 4, seed=seed) for seed in (1, 1, 2))
    weight = [model.head[1].weight for model in (first, again, other)]  # type: ignore[index]
    assert torch.equal(weight[0], weight[1])
    assert not torch.equal(weight[0], weight[2])
    for name, value in first.backbone.state_dict().items():
        assert torch.equal(value, other.backbone.state_dict()[name])


@pytest.mark.parametrize("head", ["linear", "cosine", "default"])
@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_heads_and_adapters_are_in_full_on_a_backbone_in_bfloat16(architecture: str, head: str, tmp_path: Path) -> None:
    folder = made(architecture, tmp_path)
    open_network(folder, bare=False).to(torch.bfloat16).save_pretrained(folder)
    pooling = None if head == "default" else "attention"
    spec = ClassifierSpec(pooling=pooling, head=HeadSpec(kind=head), tuning=TuningSpec(method="lora"))  # type: ignore[arg-type]
    model = build_classifier(folder, spec, 4, seed=1)
    assert model.network.dtype == torch.bfloat16
    assert {each.dtype for each in model.parameters() if each.requires_grad} == {torch.float32}
    logits = model(*batch(3, 9))
    assert logits.dtype == torch.float32
    logits.sum().backward()
    with pytest.raises(StepError, match=r"(?s)full trains a backbone whose weights are bfloat16.*numbers: float32"):
        build_classifier(folder, ClassifierSpec(pooling="mean"), 4, seed=1)


def test_a_class_alone_is_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(StepError, match="two classes or more"):
        build_classifier(folders["bert"], ClassifierSpec(pooling="mean"), 1, seed=1)


def test_cls_pooling_is_refused_where_no_such_token_opens_texts(tmp_path: Path) -> None:
    folder = made("llama", tmp_path)
    write_card(BackboneCard(pad_id=0, pad_from="a test"), folder)
    with pytest.raises(StepError, match=r"(?s)pooling cls.*Mend: pooling: first"):
        build_classifier(folder, ClassifierSpec(pooling="cls"), 4, seed=1)


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("pooling", {"head": HeadSpec(kind="default"), "pooling": "mean"}),
        ("layer_mix", {"head": HeadSpec(kind="default"), "pooling": None, "layer_mix": True}),
        ("spectral", {"head": HeadSpec(kind="default"), "pooling": None, "spectral": FILTERS["low"]}),
        ("pooling", {"pooling": None}),
        ("spectral.kind", {"pooling": "mean", "spectral": FILTERS["high"]}),
    ],
)
def test_parts_that_do_not_go_together_are_refused_by_name(field: str, spec: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=field):
        ClassifierSpec(**spec)  # type: ignore[arg-type]


def test_several_means_are_learned_by_attention_alone(folders: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="pooling_heads"):
        build_classifier(folders["bert"], ClassifierSpec(pooling="mean", pooling_heads=2), 4, seed=1)


def test_positions_are_counted_as_the_architecture_counts_them(folders: dict[str, Path]) -> None:
    assert most_tokens(open_network(folders["bert"])) == 64
    assert most_tokens(open_network(folders["gpt2"])) == 64
    assert most_tokens(open_network(folders["roberta"])) == 63
    spec = ClassifierSpec(pooling="mean", tuning=TuningSpec(method="prompt", tokens=5))
    assert build_classifier(folders["bert"], spec, 4, seed=1).most_tokens == 59


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "gpt2", "opt"])
def test_a_text_of_all_positions_can_be_read(architecture: str, folders: dict[str, Path]) -> None:
    model = build_classifier(folders[architecture], ClassifierSpec(pooling="mean"), 4, seed=1).eval()
    assert model.most_tokens is not None
    assert model(*batch(model.most_tokens)).isfinite().all()


def test_an_architecture_that_lets_padding_in_is_found_out(tmp_path: Path, folders: dict[str, Path]) -> None:
    short, long = texts(3, 13)
    leaky = build_classifier(
        made("convbert", tmp_path, num_attention_heads=4), ClassifierSpec(pooling="mean"), 4, seed=1
    )
    with pytest.raises(StepError, match="convbert lets padding into the states"):
        require_blind_to_padding(leaky, short, long)
    assert leaky.training
    for folder in folders.values():
        require_blind_to_padding(build_classifier(folder, ClassifierSpec(pooling="mean"), 4, seed=1), short, long)


@pytest.mark.parametrize(("architecture", "reason"), [("t5", "encoder-decoder"), ("fnet", "no attention mask")])
def test_architectures_whose_states_are_not_those_of_a_text_alone_are_refused(architecture: str, reason: str) -> None:
    from transformers import AutoConfig

    with pytest.raises(StepError, match=reason):
        require_readable(AutoConfig.for_model(architecture))


@pytest.mark.parametrize("kind", ["mean", "attention"])
@pytest.mark.parametrize("filtering", ["none", "low", "learned"])
def test_what_a_frozen_backbone_made_is_used_again_with_the_same_logits(
    kind: PoolingKind, filtering: str, folders: dict[str, Path]
) -> None:
    spectral = SpectralSpec(kind="low", cutoff=0.4, edge="smooth", learned=filtering == "learned")
    spec = ClassifierSpec(
        pooling=kind, spectral=None if filtering == "none" else spectral, tuning=TuningSpec(method="probe")
    )
    model = build_classifier(folders["bert"], spec, 4, seed=1)
    ids, mask = batch(3, 12, 7)
    expected = model(ids, mask)
    for row, count in zip(ids, (3, 12, 7), strict=True):
        model.remember(row[None, :count], torch.ones(1, count))
    calls: list[None] = []
    model.backbone.register_forward_pre_hook(lambda *_: calls.append(None))
    torch.testing.assert_close(model(ids, mask), expected, atol=1e-5, rtol=0)
    assert not calls
    assert model(torch.tensor([[5, 4, 3, 2]]), torch.ones(1, 4)).shape == (1, 4)  # a text that is not known
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("parts", "remembers"),
    [
        ({}, True),
        ({"tuning": TuningSpec(method="full")}, False),
        ({"tuning": TuningSpec(method="lora")}, False),
        ({"layer_mix": True}, False),
        ({"embedded_dropout": 0.1}, False),
        ({"spectral": SpectralSpec(kind="legacy", cutoff=0.4)}, False),
        ({"pooling": None, "head": HeadSpec(kind="default")}, False),
    ],
)
def test_only_what_cannot_change_is_remembered(
    parts: dict[str, Any], remembers: bool, folders: dict[str, Path]
) -> None:
    spec = ClassifierSpec(**{"pooling": "mean", "tuning": TuningSpec(method="probe"), **parts})
    assert (build_classifier(folders["bert"], spec, 4, seed=1).bytes_to_remember is not None) is remembers
