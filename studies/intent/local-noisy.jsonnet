// The same with phrases around every text, in training and, worded otherwise, in the test.
(import 'local.jsonnet') + {
  name: 'intent-local-noisy',
  description: 'Nine heads on a small encoder, texts with noise around them',
  params+: { noise: 'banking' },
}
