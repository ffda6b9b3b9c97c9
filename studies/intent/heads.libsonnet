// Which classification head suits a backbone: the architecture's own, or pooling × spectral filter.
//
// What all scales share. A scale adds `raw` (the data), `backbone` and `tokens`, and lays its own settings over `model`:
// see tiny.jsonnet, local.jsonnet and paper.libsonnet.
local own = { head: 'default', pooling: null, spectral: null };
local poolings = ['mean', 'max', 'attention', 'last'];
local filters = [null, 'low'];
local known = { eval: ['default_head', 'custom_head'], custom: [true, false], pool: poolings, fft: [true, false] };

{
  local study = self,
  local asked = {
    [name]:
      local value = study.params.only[name];
      if value == null || (if name == 'seed' then std.isNumber(value) else std.member(known[name], value)) then value
      else error 'params.only.%s (%s): expected %s, got %s' % [
        name,
        std.asciiUpper(name),
        if name == 'seed' then 'a number' else 'one of ' + std.join(', ', std.map(std.toString, known[name])),
        std.manifestJsonMinified(value),
      ]
    for name in std.objectFields(study.params.only)
  },

  heads:: [own] + [
    { head: 'linear', pooling: pooling, spectral: filter }
    for pooling in poolings
    for filter in filters
  ],
  seeds:: [0, 1, 2],

  // One configuration of all, as a cluster script asks for it: EXP=a CUSTOM=True POOL=max FFT=False SEED=3.
  // What is not set is not restricted: without any of them the whole study is run.
  env: {
    EXP: 'name',
    EVAL: { sets: 'params.only.eval', one_of: known.eval },
    CUSTOM: { sets: 'params.only.custom', one_of: known.custom },
    POOL: { sets: 'params.only.pool', one_of: known.pool },
    FFT: { sets: 'params.only.fft', one_of: known.fft },
    SEED: 'params.only.seed',
    NOISE: 'noise',
  },
  local is_asked_for(head) =
    local custom = head.head != 'default';
    (asked.custom == null || custom == asked.custom)
    && (asked.eval == null || custom == (asked.eval == 'custom_head'))
    && (asked.pool == null || !custom || head.pooling == asked.pool)
    && (asked.fft == null || !custom || (head.spectral != null) == asked.fft),
  local chosen = std.filter(is_asked_for, study.heads),

  params: {
    head: 'linear',
    pooling: 'mean',
    spectral: null,
    noise: 'none',
    seed: 0,
    only: { eval: null, custom: null, pool: null, fft: null, seed: null },
  },

  pipeline: {
    splits: { step: 'text.split', from: 'raw', with: { test_fraction: 0.2, validation_fraction: 0.2, stratify: true, seed: 42 } },
    noisy: { step: 'text.add_noise', from: 'splits', with: { family: '${noise}', seed: 42 } },
    model: {
      step: 'text.finetune',
      from: { tokens: 'tokens', backbone: 'backbone' },
      with: {
        head: '${head}',
        pooling: '${pooling}',
        spectral: '${spectral}',
        seed: '${seed}',
        schedule: 'cosine',
        warm_up: 0.1,
        watch: 'validation_loss',
        keep: 'best',
        patience: 3,
        threshold: 0.003,
        milestones: [0.95],
      },
    },
    training: { step: 'text.training_summary', from: 'model' },
    scored: { step: 'text.predict', from: { model: 'model', tokens: 'tokens' }, with: { split: 'test' } },
    predicted: { step: 'text.prediction_summary', from: 'scored' },
    quality: { step: 'text.evaluate', from: 'scored' },
    calibration: { step: 'text.quality', from: 'scored' },
    latencies: { step: 'text.latencies', from: { model: 'model', splits: 'noisy' }, with: { examples: 200, batch: 32 } },
    latency: { step: 'text.latency', from: 'latencies' },
    majority: { step: 'text.majority', from: 'noisy' },
    bag_of_words: { step: 'text.bag_of_words', from: 'noisy' },
  },

  vary: {
    list: if chosen == [] then error 'no head is asked for: EVAL, CUSTOM, POOL and FFT exclude each other' else chosen,
    repeat: { seed: if asked.seed == null then study.seeds else [asked.seed] },
  },

  collect: {
    costed: {
      step: 'text.efficiency',
      from: 'records',
      with: { predictions: 'scored', predicted: 'predicted', model: 'model', training: 'training', latencies: 'latencies' },
    },
    table: {
      step: 'analysis.aggregate',
      from: 'costed',
      with: {
        metrics: [
          'quality.accuracy',
          'quality.f1_weighted',
          'quality.f1_macro',
          'quality.precision_weighted',
          'quality.recall_weighted',
          'calibration.mcc',
          'calibration.ece',
          'latency.single.median_s',
          'efficiency.flops_per_example',
          'efficiency.joules_per_1000',
          'efficiency.accuracy_per_joule',
          'efficiency.training_joules',
          'training.flops',
          'training.steps',
          'latency.single.p95_s',
          'latency.batch.examples_per_s',
        ],
        lower_is_better: [
          'calibration.ece',
          'latency.single.median_s',
          'latency.single.p95_s',
          'efficiency.flops_per_example',
          'efficiency.joules_per_1000',
          'efficiency.training_joules',
          'training.flops',
        ],
        references: { majority: 'commonest label', bag_of_words: 'bag of words' },
        [if std.member(chosen, own) then 'baseline']: own,
      },
    },
  },
}
