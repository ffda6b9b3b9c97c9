// The heads on a small encoder of yours, and data of yours. Give both, for instance
//
//   etude run studies/intent/local.jsonnet \
//       --set encoder=models/MiniLM --set data=data/banking77
//
// The encoder is a folder as `save_pretrained` writes it; the data a file (CSV, TSV, JSON, JSON Lines, Parquet) or a
// folder with `train`, `test` and perhaps `validation`, with a column of texts and one of labels. For a model or data on
// the hub: `--set pipeline.backbone.with='{hub: sentence-transformers/all-MiniLM-L6-v2, revision: …}'` and
// `--set pipeline.raw='{step: text.hub, with: {name: …, revision: …}}'`.
(import 'heads.libsonnet') + {
  local study = self,
  name: 'intent-local',
  description: 'Nine heads on a small encoder',
  env+: { ENCODER: 'encoder', DATA: 'data' },
  params+: { encoder: 'models/encoder', data: 'data/intents', text: 'text', label: 'label' },
  pipeline+: {
    raw: { step: 'text.read', with: { file: '${data}', text: '${text}', label: '${label}' } },
    backbone: { step: 'text.backbone', with: { folder: '${encoder}' } },
    tokens: { step: 'text.tokenize_for', from: { splits: 'noisy', backbone: 'backbone' }, with: { max_tokens: 128 } },
    model+: { with+: { epochs: 4, learning_rate: 3e-4, learning_rate_head: 5 } },
  },
  place: { workers: 2 },
}
