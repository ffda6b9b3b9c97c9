// The whole experiment at full size: Llama 3.2 1B under LoRA, ten seeds, one GPU for each training.
//
//   etude plan studies/intent/paper-banking77.jsonnet                            # nothing is fetched
//   etude run  studies/intent/paper-banking77.jsonnet --on narval                # one of `etude cluster`, or a file
//   MODEL=models/Llama-3.2-1B etude run studies/intent/paper-banking77.jsonnet   # a folder in place of the hub
//
// Fetching the model takes a token that may read it: `hf auth login`, or HF_TOKEN in the environment.
(import 'heads.libsonnet') + {
  local study = self,
  seeds:: std.range(0, 9),
  params+: { llama: 'meta-llama/Llama-3.2-1B', revision: null, folder: null },
  env+: { MODEL: 'folder' },
  pipeline+: {
    backbone: {
      step: 'text.backbone',
      with: {
        hub: if study.params.folder == null then '${llama}' else null,
        revision: '${revision}',
        folder: '${folder}',
        numbers: 'bfloat16',
      },
      on: 'login',
    },
    raw+: { on: 'login' },
    tokens: { step: 'text.tokenize_for', from: { splits: 'noisy', backbone: 'backbone' }, with: { max_tokens: 512 } },
    model+: {
      with+: {
        tuning: { method: 'lora', rank: 4, alpha: 16, dropout: 0.1, targets: ['q_proj', 'v_proj'] },
        epochs: 45,
        learning_rate: 2e-5,
        batch_tokens: 1024,  // about 48 utterances: the original's batch, without its padding
        validate_every: 25,
        precision: 'bf16',
      },
      on: { gpus: 1, cpus: 8, memory: '32GB', walltime: '2h' },
    },
    scored+: { on: { gpus: 1, memory: '16GB', walltime: '20m' } },
    latencies+: { on: { gpus: 1, memory: '16GB', walltime: '20m' } },
  },
}
