// The same with phrases around every sentence, in training and, worded otherwise, in the test.
(import 'tiny.jsonnet') + {
  name: 'intent-tiny-noisy',
  description: 'Nine heads on a small Llama-architecture network, docstrings with noise around them',
  params+: { noise: 'clinc' },
}
