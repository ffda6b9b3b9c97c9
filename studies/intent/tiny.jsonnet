// The heads on a small network trained from random weights, on first sentences of docstrings: which package is it about?
// Runs anywhere in minutes: no download, no GPU, two cores.
(import 'heads.libsonnet') + {
  name: 'intent-tiny',
  description: 'Nine heads on a small Llama-architecture network, first sentences of docstrings',
  seeds:: [0, 1, 2],
  pipeline+: {
    raw: {
      step: 'text.load',
      with: { source: 'docstrings', per_label: 300, seed: 0 },
      pin: ['matplotlib', 'networkx', 'numpy', 'pandas', 'scipy', 'scikit-learn', 'sympy', 'torch', 'transformers'],
    },
    tokens: { step: 'text.tokenize', from: 'noisy', with: { vocabulary: 4000, max_tokens: 64 } },
    backbone: {
      step: 'text.backbone',
      with: {
        config: {
          model_type: 'llama',
          vocab_size: 4000,
          hidden_size: 64,
          intermediate_size: 128,
          num_hidden_layers: 1,
          num_attention_heads: 4,
          max_position_embeddings: 64,
        },
      },
    },
    model+: { with+: { epochs: 6, learning_rate: 0.003, dropout: 0.0 } },
  },
  place: { workers: 2 },
}
