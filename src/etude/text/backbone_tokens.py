"""Texts as token ids by a backbone's own tokenizer."""

from __future__ import annotations

from etude.errors import StepError
from etude.nn.backbone import read_card
from etude.text.pretrained import tokenizer_of
from etude.text.tokens import encoded
from etude.text.types import Backbone, Splits, Tokens, TooLong


def tokenized_for(splits: Splits, backbone: Backbone, *, max_tokens: int | None, too_long: TooLong) -> Tokens:
    """Apply a backbone's own tokenizer to all three splits.

    Args:
        splits: Labelled texts.
        backbone: With a tokenizer.
        max_tokens: The longest sequence, with the tokens that open and close it; None for all that the backbone has
            positions for.
        too_long: What becomes of a longer text: `cut` (they are counted in the result), or `error`.

    Raises:
        StepError: The backbone has no tokenizer, or fewer positions than `max_tokens`; a text is too long.
    """
    most = backbone.max_tokens
    if max_tokens is not None and most is not None and max_tokens > most:
        raise StepError(
            f"max_tokens: {backbone.architecture} has positions for {most} tokens, and {max_tokens} were asked for"
        )
    tokenizer = tokenizer_of(backbone.folder)
    card = read_card(backbone.folder)
    vocabulary = tokenizer.get_vocab_size(with_added_tokens=True)
    limit = max_tokens if max_tokens is not None else most
    return encoded(splits, tokenizer, vocabulary=vocabulary, pad_id=card.pad_id, max_tokens=limit, too_long=too_long)
