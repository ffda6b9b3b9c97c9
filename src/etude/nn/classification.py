"""A classifier under cross-entropy, as Lightning trains it."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn

from etude.nn.losses import summed_cross_entropy, weight_of
from etude.nn.optimisation import parameter_groups, schedule_factor
from etude.nn.token_batches import TokenBatch
from etude.nn.training_spec import TrainingSpec


class Classification(lightning.LightningModule):  # type: ignore[misc]
    """Class logits from token ids and mask, trained by AdamW.

    A batch may be computed in parts to save memory. Each part's loss counts by the weight of its examples in the whole
    batch, so that gradients of parts add up to that of the batch.
    """

    def __init__(self, classifier: nn.Module, spec: TrainingSpec, steps: int, weights_C: Tensor | None = None) -> None:
        """`steps` is the length of the schedule; `weights_C` the weight of each class, None for 1."""
        super().__init__()
        self.classifier = classifier
        self.spec = spec
        self.steps = steps
        self.register_buffer("weights_C", weights_C, persistent=False)
        self._gradients: list[Tensor | None] = []

    def training_step(self, batch: TokenBatch, index: int) -> Tensor:
        *before, last = batch.parts(self.spec.micro_batch_tokens)
        whole = weight_of(batch.labels, self.weights_C)
        done = torch.zeros((), device=batch.ids.device)
        for part in before:
            loss = self._summed(part) / whole
            self._add(torch.autograd.grad(loss, self._trained(), allow_unused=True))
            done = done + loss.detach()
        return self._summed(last) / whole + done

    def on_after_backward(self) -> None:
        """Add what the other parts of the batch gave."""
        for parameter, gradient in zip(self._trained(), self._gradients, strict=False):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
        self._gradients = []

    def validation_step(self, batch: TokenBatch, index: int) -> None:
        logits = self.classifier(batch.ids, batch.mask).float()
        loss = nn.functional.cross_entropy(logits, batch.labels)
        right = (logits.argmax(dim=1) == batch.labels).float().mean()
        self.log_dict({"validation_loss": loss, "validation_accuracy": right}, batch_size=len(batch.labels))

    def configure_optimizers(self) -> Any:
        spec = self.spec
        groups = parameter_groups(
            self.classifier,
            learning_rate=spec.learning_rate,
            weight_decay=spec.weight_decay,
            is_head=lambda name: not name.startswith("backbone."),
            head_rate=spec.learning_rate_head,
        )
        optimiser = torch.optim.AdamW(groups, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: schedule_factor(step, kind=spec.schedule, steps=self.steps, warm_up=spec.warm_up)
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _summed(self, part: TokenBatch) -> Tensor:
        logits = self.classifier(part.ids, part.mask)
        return summed_cross_entropy(logits, part.labels, weights_C=self.weights_C, smoothing=self.spec.label_smoothing)

    def _trained(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def _add(self, gradients: tuple[Tensor | None, ...]) -> None:
        if not self._gradients:
            self._gradients = list(gradients)
            return
        for place, gradient in enumerate(gradients):
            held = self._gradients[place]
            if gradient is not None:
                self._gradients[place] = gradient if held is None else held.add_(gradient)
