"""FLOPs and bytes of a model from its config alone: no weights, no network, no torch.

from etude import flops

model = flops.describe("path/of/a/model")           # its config.json is enough
flops.forward(model, [12, 40, 31]).issued.torch_flops
flops.training(model, [12, 40, 31], trainable="all").total
flops.generation(model, prompt_tokens=[12, 40], new_tokens=[64, 20]).decode.useful
"""

from etude.flops.adapters import Ia3 as Ia3
from etude.flops.adapters import Lora as Lora
from etude.flops.architecture.table import described_types as _described_types
from etude.flops.cost import FREE as FREE
from etude.flops.cost import Cost as Cost
from etude.flops.cost import Flops as Flops
from etude.flops.cost import GenerationCost as GenerationCost
from etude.flops.cost import TrainingCost as TrainingCost
from etude.flops.cost import total as total
from etude.flops.counted import count as count
from etude.flops.estimate import model_cost as model_cost
from etude.flops.forward import forward as forward
from etude.flops.forward import sample_flops as sample_flops
from etude.flops.generation import generation as generation
from etude.flops.generation import request_flops as request_flops
from etude.flops.heads import PooledHead as PooledHead
from etude.flops.model import Model as Model
from etude.flops.model import describe as describe
from etude.flops.roof import Roof as Roof
from etude.flops.roof import Utilisation as Utilisation
from etude.flops.roof import machine_roof as machine_roof
from etude.flops.roof import mbu as mbu
from etude.flops.roof import measure_roof as measure_roof
from etude.flops.roof import mfu as mfu
from etude.flops.storage import QUANTISATIONS as QUANTISATIONS
from etude.flops.storage import WeightBytes as WeightBytes
from etude.flops.storage import weight_bytes as weight_bytes
from etude.flops.traffic import Precision as Precision
from etude.flops.traffic import Traffic as Traffic
from etude.flops.traffic import cache_bytes as cache_bytes
from etude.flops.traffic import generation_traffic as generation_traffic
from etude.flops.traffic import step_traffic as step_traffic
from etude.flops.training import training as training

supported = _described_types
"""The model types that are described."""
