// BANKING77 (77 intents), clean.
(import 'paper.libsonnet') + {
  name: 'intent-paper-banking77',
  description: 'Nine heads on Llama 3.2 1B under LoRA, BANKING77',
  params+: { data: null },
  env+: { DATA: 'data' },
  pipeline+: { raw+: { step: 'text.known', with: { name: 'banking77', folder: '${data}' } } },
}
