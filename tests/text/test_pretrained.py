"""Backbones from a config, a folder or the hub, with their tokenizer and an id to pad with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import huggingface_hub
import pyarrow as pa
import pytest
import safetensors.torch
import torch
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModel, PreTrainedTokenizerFast

from backbones import config, made
from etude.errors import StepError
from etude.nn.backbone import open_network, read_card
from etude.nn.model_types import Backbone
from etude.nn.padding import padding_of
from etude.text import steps
from etude.text.types import Splits
from step_context import StepContext

BERT = {
    "model_type": "bert",
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 12,
}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "we", "see", "fish", "goat", "on", "day"]


def backbone(scratch: Path, **given: Any) -> Backbone:
    return steps.backbone(ctx=StepContext(scratch), **given)


def tokenizer(*, opens: bool = True, pad: str | None = "[PAD]", words: list[str] = WORDS) -> PreTrainedTokenizerFast:
    found = Tokenizer(models.WordLevel({word: id for id, word in enumerate(words)}, unk_token="[UNK]"))
    found.pre_tokenizer = pre_tokenizers.Whitespace()
    if opens:
        ends = [("[CLS]", words.index("[CLS]")), ("[SEP]", words.index("[SEP]"))]
        found.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {"unk_token": "[UNK]", **({"cls_token": "[CLS]", "sep_token": "[SEP]"} if opens else {})}
    return PreTrainedTokenizerFast(tokenizer_object=found, **names, **({"pad_token": pad} if pad else {}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small BERT with a tokenizer, as `save_pretrained` writes them."""
    place = made("bert", tmp_path / "source", max_position_embeddings=12)
    tokenizer().save_pretrained(place)
    return place


def splits(*texts: str) -> Splits:
    rows = {"id": range(len(texts)), "text": list(texts), "label": ["a", "b"] * (len(texts) // 2)}
    table = pa.table({name: list(values) for name, values in rows.items()})
    return Splits(train=table, validation=table.slice(0, 0), test=table)


def test_a_config_gives_random_weights_under_the_seed(tmp_path: Path) -> None:
    first, again, other = (
        backbone(tmp_path / str(place), config=BERT, seed=seed) for place, seed in enumerate((0, 0, 1))
    )
    weights = [(each.folder / "model.safetensors").read_bytes() for each in (first, again, other)]
    assert weights[0] == weights[1] != weights[2]
    assert (first.architecture, first.max_tokens) == ("bert", 12)
    assert first.parameters == sum(each.numel() for each in open_network(first.folder, bare=False).parameters())


def test_a_folder_keeps_its_weights_to_the_bit(folder: Path, tmp_path: Path) -> None:
    found = backbone(tmp_path / "made", folder=folder)
    before, after = (safetensors.torch.load_file(place / "model.safetensors") for place in (folder, found.folder))
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert found.max_tokens == 12
    assert read_card(found.folder).cls_id == 2


def test_weights_are_stored_in_the_format_that_is_asked_for(folder: Path, tmp_path: Path) -> None:
    found = backbone(tmp_path / "made", folder=folder, numbers="bfloat16")
    assert {each.dtype for each in open_network(found.folder).parameters()} == {torch.bfloat16}
    again = backbone(tmp_path / "again", folder=found.folder)
    assert {each.dtype for each in open_network(again.folder).parameters()} == {torch.float32}
    stored = backbone(tmp_path / "stored", folder=found.folder, numbers="stored")
    assert {each.dtype for each in open_network(stored.folder).parameters()} == {torch.bfloat16}


def test_a_pooler_that_the_source_lacks_is_made_up_and_said_so(folder: Path, tmp_path: Path) -> None:
    path = folder / "model.safetensors"
    state = safetensors.torch.load_file(path)
    safetensors.torch.save_file({name: value for name, value in state.items() if "pooler" not in name}, path)
    found = backbone(tmp_path / "made", folder=folder)
    assert read_card(found.folder).made_up == ("pooler.dense.bias", "pooler.dense.weight")


def test_weights_that_are_missing_otherwise_are_an_error(folder: Path, tmp_path: Path) -> None:
    path = folder / "model.safetensors"
    state = safetensors.torch.load_file(path)
    state.pop("encoder.layer.1.output.dense.weight")
    safetensors.torch.save_file(state, path)
    with pytest.raises(StepError, match=r"encoder\.layer\.1\.output\.dense\.weight"):
        backbone(tmp_path / "made", folder=folder)


def test_a_language_model_gives_its_backbone(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    whole = AutoModelForCausalLM.from_config(config("llama"))
    whole.save_pretrained(tmp_path / "source")
    found = open_network(backbone(tmp_path / "made", folder=tmp_path / "source").folder)
    assert torch.equal(found.layers[1].mlp.up_proj.weight, whole.model.layers[1].mlp.up_proj.weight)


@pytest.mark.parametrize("given", [{}, {"hub": "a/b", "config": BERT}])
def test_exactly_one_source_is_wanted(given: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(StepError, match="exactly one of hub, folder and config"):
        backbone(tmp_path, **given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"model_type": "bret"}, "did you mean 'bert'"),
        ({**BERT, "hiden_size": 4}, "did you mean 'hidden_size'"),
        ({"model_type": "t5"}, "encoder-decoder"),
    ],
)
def test_a_config_of_no_architecture_or_setting_is_told_the_nearest(
    given: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(StepError, match=told):
        backbone(tmp_path, config=given)


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"has no config\.json"):
        backbone(tmp_path / "made", folder=tmp_path)


def failing(error: type[Exception], *given: Any) -> Callable[..., str]:
    def fetch(*positional: Any, **named: Any) -> str:
        raise error(*given)

    return fetch


def test_a_hub_out_of_reach_names_what_to_do_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", failing(LocalEntryNotFoundError, "Got: no network\nat all")
    )
    told = r"(?s)owner/model: the hub cannot be reached \(no network\).*`hf download .* --local-dir DIR`.*`folder: DIR`"
    with pytest.raises(StepError, match=told):
        backbone(tmp_path, hub="owner/model")


@pytest.mark.parametrize(
    ("error", "told"), [(RepositoryNotFoundError, "has no model 'owner/model'"), (GatedRepoError, "hf auth login")]
)
def test_a_model_that_is_not_there_or_not_open_is_said_to_be(
    error: type[Exception], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = httpx.Response(404, request=httpx.Request("GET", "https://hub.invalid"))
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda *given, **named: failing(lambda: error("no", response=answer))()
    )
    with pytest.raises(StepError, match=told):
        backbone(tmp_path, hub="owner/model")


def test_what_the_hub_gives_is_read_as_a_folder_and_its_commit_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = folder.rename(tmp_path / "0123abcd")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *given, **named: str(commit))
    card = read_card(backbone(tmp_path / "made", hub="owner/model").folder)
    assert (card.source, card.revision) == ("owner/model", "0123abcd")


def test_texts_become_the_backbones_own_tokens(folder: Path, tmp_path: Path) -> None:
    found = backbone(tmp_path / "made", folder=folder)
    made_of = steps.tokenize_for(splits("we see fish", "goat"), found)
    assert made_of.train["tokens"].to_pylist() == [[2, 4, 5, 6, 3], [2, 7, 3]]
    assert (made_of.pad_id, made_of.labels) == (0, ("a", "b"))
    assert Tokenizer.from_str(made_of.tokenizer).encode("we see fish").ids == [2, 4, 5, 6, 3]


def test_texts_longer_than_the_model_are_cut_and_counted_or_an_error(folder: Path, tmp_path: Path) -> None:
    found = backbone(tmp_path / "made", folder=folder)
    texts = splits("we see fish", " ".join(["fish"] * 30))
    cut = steps.tokenize_for(texts, found)
    assert [len(row) for row in cut.train["tokens"].to_pylist()] == [5, 12]
    assert cut.train["tokens"].to_pylist()[1][-1] == 3
    assert cut.cut == {"train": 1, "validation": 0, "test": 1}
    with pytest.raises(StepError, match="longer than 12 tokens: 1 of train, 1 of test"):
        steps.tokenize_for(texts, found, too_long="error")
    with pytest.raises(StepError, match="positions for 12 tokens, and 20 were asked for"):
        steps.tokenize_for(texts, found, max_tokens=20)


def test_a_backbone_without_a_tokenizer_says_where_to_get_one(tmp_path: Path) -> None:
    found = backbone(tmp_path, config=BERT)
    with pytest.raises(StepError, match=r"(?s)no tokenizer.*text\.tokenize"):
        steps.tokenize_for(splits("we", "see"), found)


def test_a_tokenizer_that_opens_no_text_has_no_classification_token(tmp_path: Path) -> None:
    place = made("llama", tmp_path / "source")
    tokenizer(opens=False).save_pretrained(place)
    found = backbone(tmp_path / "made", folder=place)
    assert read_card(found.folder).cls_id is None
    assert steps.tokenize_for(splits("we see", ""), found).train["tokens"].to_pylist() == [[4, 5], [0]]


PLAIN = {"we": 0, "see": 1, "</s>": 2}


@pytest.mark.parametrize(
    ("words", "given", "end", "embedded", "expected", "in_text"),
    [
        (PLAIN, 1, 2, 3, 1, False),
        ({**PLAIN, "<|reserved_special_token_7|>": 4, "<|reserved_special_token_3|>": 3}, None, 2, 5, 3, False),
        ({**PLAIN, "[unused5]": 3}, None, 2, 4, 3, False),
        (PLAIN, None, 2, 5, 3, False),
        (PLAIN, 9, 2, 5, 3, False),
        (PLAIN, None, 2, 3, 2, True),
        (PLAIN, 2, 2, 3, 2, True),
    ],
)
def test_padding_is_the_given_then_a_reserved_then_a_free_id_then_the_end_of_text(
    words: dict[str, int], given: int | None, end: int, embedded: int, expected: int, in_text: bool
) -> None:
    found = padding_of(Tokenizer(models.WordLevel(words, unk_token="we")), given=given, end=end, embedded=embedded)
    assert (found.id, found.in_text) == (expected, in_text)


def test_nothing_to_pad_with_is_an_error() -> None:
    with pytest.raises(StepError, match="neither padding"):
        padding_of(Tokenizer(models.WordLevel(PLAIN, unk_token="we")), given=None, end=None, embedded=3)


@pytest.mark.parametrize("pad", ["[PAD]", None])
def test_no_embedding_is_resized_for_padding(pad: str | None, tmp_path: Path) -> None:
    place = made("llama", tmp_path / "source", pad_token_id=None)
    tokenizer(opens=False, pad=pad).save_pretrained(place)
    found = backbone(tmp_path / "made", folder=place)
    network = open_network(found.folder)
    assert network.get_input_embeddings().weight.shape[0] == 50
    card = read_card(found.folder)
    assert card.pad_id == (0 if pad else len(WORDS))
    assert json.loads((found.folder / "config.json").read_text(encoding="utf-8"))["pad_token_id"] == card.pad_id


def test_the_backbone_opens_with_transformers_alone(folder: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    found = backbone(tmp_path / "made", folder=folder)
    assert AutoModel.from_pretrained(found.folder).config.model_type == "bert"
    assert AutoTokenizer.from_pretrained(found.folder)("we see")["input_ids"] == [2, 4, 5, 3]
