// BANKING77 with phrases around every text.
(import 'paper-banking77.jsonnet') + {
  name: 'intent-paper-banking77-noisy',
  description: 'Nine heads on Llama 3.2 1B under LoRA, BANKING77 with noise',
  params+: { noise: 'banking' },
}
