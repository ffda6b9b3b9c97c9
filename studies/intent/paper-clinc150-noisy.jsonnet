// CLINC150 with phrases around every text.
(import 'paper-clinc150.jsonnet') + {
  name: 'intent-paper-clinc150-noisy',
  description: 'Nine heads on Llama 3.2 1B under LoRA, CLINC150 with noise',
  params+: { noise: 'clinc' },
}
