"""A module of the user's own is trained, read again, validated and used by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import torch

from etude import Stopped
from etude.errors import ConfigError, StepError
from etude.nn import steps
from etude.nn.fit_settings import CallbackSpec, FittedModule
from etude.nn.modules import load_module
from lightning_modules import Line
from step_context import StepContext

LINE, OWN, DATA = "lightning_modules:Line", "lightning_modules:OwnOptimiser", "lightning_modules:Data"
Part = dict[str, npt.NDArray[np.float32]]


def part(seed: int, rows: int) -> Part:
    x = np.random.default_rng(seed).normal(size=(rows, 2)).astype(np.float32)
    return {"x": x, "y": x.sum(axis=1)}


SPLITS = {"train": part(0, 40), "validation": part(1, 16), "test": part(2, 10)}


def fit(place: Path, data: Any = SPLITS, *, stop_after: float = float("inf"), **settings: Any) -> FittedModule:
    place.mkdir(exist_ok=True)
    given = {"module": LINE, "seed": 0, "epochs": 6, "batch": 8, "learning_rate": 0.05, **settings}
    return steps.fit(data, ctx=StepContext(place, stop_after=stop_after), **given)


def state(fitted: FittedModule, weights: str = "best") -> dict[str, torch.Tensor]:
    return load_module(fitted, LINE, weights).state_dict()


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(left[name], right[name]) for name in left | right)


def test_a_module_learns_and_is_used_by_its_name(tmp_path: Path) -> None:
    fitted = fit(tmp_path / "fit", monitor="validation_loss", epochs=20)
    losses = fitted.curve["validation_loss"].to_pylist()
    assert fitted.best_restored
    assert fitted.logged["validation_loss"] == min(losses) < 0.5 * losses[0]
    on = {"ctx": StepContext(tmp_path), "module": LINE}
    assert steps.validate(fitted, SPLITS, **on)["validation_loss"] == pytest.approx(min(losses))
    predicted = steps.predict(fitted, SPLITS, **on)["prediction"]
    with torch.no_grad():
        module = load_module(fitted, LINE, "best")
        assert predicted == pytest.approx(module.layers(torch.tensor(SPLITS["test"]["x"])).squeeze(1))
    error = float(np.square(np.asarray(predicted) - SPLITS["test"]["y"]).mean())
    assert steps.test(fitted, SPLITS, **on)["loss"] == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("k", [1, 7, 18])
def test_a_training_that_was_stopped_goes_on_bit_for_bit(k: int, tmp_path: Path) -> None:
    settings = {"monitor": "validation_loss", "clip": 1.0, "validate_every": 4}
    alone = fit(tmp_path / "alone", **settings)
    with pytest.raises(Stopped):
        fit(tmp_path / "again", stop_after=k, **settings)
    again = fit(tmp_path / "again", **settings)
    assert same(state(again), state(alone))
    assert same(state(again, "last"), state(alone, "last"))
    assert again.curve == alone.curve


def test_the_last_weights_stand_beside_the_best(tmp_path: Path) -> None:
    best = fit(tmp_path / "best", monitor="validation_loss", mode="max")
    last = fit(tmp_path / "last")
    assert best.best_step == 5
    assert not same(state(best), state(best, "last"))
    assert same(state(best, "last"), state(last))


@pytest.mark.parametrize(
    "train",
    [
        pa.table({"x": SPLITS["train"]["x"].tolist(), "y": SPLITS["train"]["y"]}),
        {name: torch.from_numpy(values) for name, values in SPLITS["train"].items()},
        [{"x": x, "y": y} for x, y in zip(*SPLITS["train"].values(), strict=True)],
        {name: values.astype(np.float64) for name, values in SPLITS["train"].items()},
        [{"x": x.astype(np.float64), "y": float(y)} for x, y in zip(*SPLITS["train"].values(), strict=True)],
    ],
    ids=["table", "tensors", "rows", "doubles", "rows of doubles"],
)
def test_every_kind_of_data_gives_the_same_training(train: Any, tmp_path: Path) -> None:
    expected = fit(tmp_path / "arrays", {"train": SPLITS["train"]})
    assert same(state(fit(tmp_path / "other", {"train": train})), state(expected))


def test_rows_are_put_together_as_the_user_says(tmp_path: Path) -> None:
    x, y = SPLITS["train"].values()
    table = pa.table({"a": x[:, 0], "b": x[:, 1], "y": y})
    fitted = fit(tmp_path / "own", {"train": table}, collate="lightning_modules:stacked")
    assert same(state(fitted), state(fit(tmp_path / "plain", {"train": SPLITS["train"]})))


def test_a_data_module_brings_its_own_loaders(tmp_path: Path) -> None:
    own = {"data_module": DATA, "data_settings": {"rows": 24}}
    fitted = fit(tmp_path / "fit", None, **own)
    assert fitted.steps == 6 * 3
    assert steps.test(fitted, ctx=StepContext(tmp_path), module=LINE, **own)["loss"] > 0


def test_a_module_with_an_optimiser_of_its_own_keeps_it(tmp_path: Path) -> None:
    assert fit(tmp_path / "fit", module=OWN, learning_rate=None).steps == 30


def test_another_seed_gives_another_module_and_settings_make_it(tmp_path: Path) -> None:
    assert not same(state(fit(tmp_path / "one")), state(fit(tmp_path / "other", seed=1)))
    assert state(fit(tmp_path / "wide", settings={"width": 9}))["layers.0.weight"].shape == (9, 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"module": "lightning_modules:Data", "settings": {"rows": 1}}, r"(?s)no LightningModule, but Data.*derive it"),
        ({"module": "lightning_modules:stacked"}, "is no class"),
        ({"module": "lightning_modules:Lime"}, r"no 'Lime'.*Line"),
        ({"module": "no_such_thing:Line"}, "no module 'no_such_thing'"),
        ({"settings": {"widht": 3}}, "widht.*takes width, dropout"),
        ({"learning_rate": None}, r"(?s)no configure_optimizers.*learning_rate: 0\.001"),
        ({"module": OWN}, "has its own optimiser"),
        ({"data": {"validation": SPLITS["validation"]}}, "no split 'train', but validation"),
        ({"data": None}, "there are no data"),
        ({"data_module": DATA, "data_settings": {"rows": 8}}, "both are given"),
        ({"data": {"train": {"x": np.zeros(3), "y": np.zeros(2)}}}, "not of one length"),
        ({"data": {"train": {"x": np.zeros((0, 2))}}}, "has no rows"),
        ({"monitor": "loss_of_validation"}, "loss_of_validation"),
    ],
)
def test_what_does_not_go_is_refused_with_the_mend(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=message):
        fit(tmp_path / "fit", **{"data": SPLITS, **settings})


def test_settings_of_the_trainer_are_passed_on(tmp_path: Path) -> None:
    fitted = fit(tmp_path / "fit", trainer={"limit_train_batches": 2})
    assert (fitted.steps, fitted.ended) == (12, "epochs")
    shares = fit(tmp_path / "share", trainer={"limit_train_batches": 0.4})
    assert same(state(shares), state(fitted))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("max_epochs", "write epochs"),
        ("devices", "under `on:`"),
        ("logger", "leave it out"),
        ("limit_batches", "limit_"),
    ],
)
def test_a_setting_of_the_trainer_that_is_said_elsewhere_or_nowhere_is_refused(
    name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(StepError, match=rf"(?s)trainer\.{name}.*{message}"):
        fit(tmp_path / "fit", trainer={name: 1})


def test_callbacks_are_named_and_made_with_their_settings(tmp_path: Path) -> None:
    stop = CallbackSpec(callback="lightning_modules:StopAfter", settings={"epochs": 2})
    fitted = fit(tmp_path / "fit", callbacks=(stop,))
    assert (fitted.steps, fitted.ended) == (10, "trainer")
    with pytest.raises(StepError, match="no Callback of Lightning, but Line"):
        fit(tmp_path / "other", callbacks=(CallbackSpec(callback=LINE),))


def test_what_is_monitored_needs_something_to_validate_on(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="validation"):
        fit(tmp_path / "fit", {"train": SPLITS["train"]}, monitor="validation_loss")


def test_a_model_is_read_as_the_class_that_the_study_names_and_as_no_other(tmp_path: Path) -> None:
    fitted = fit(tmp_path / "fit")
    with pytest.raises(StepError, match=r"trained is of lightning_modules:Line, and .*OwnOptimiser was named"):
        steps.predict(fitted, SPLITS, ctx=StepContext(tmp_path), module=OWN)


def test_a_class_whose_tensors_have_other_names_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = fit(tmp_path / "fit")
    monkeypatch.setattr(Line, "__init__", _renamed(Line.__init__))
    with pytest.raises(StepError, match="more"):
        steps.predict(fitted, SPLITS, ctx=StepContext(tmp_path), module=LINE)


def _renamed(init: Any) -> Any:
    def longer(self: Line, *given: Any, **settings: Any) -> None:
        init(self, *given, **settings)
        self.more = torch.nn.Linear(1, 1)

    return longer
