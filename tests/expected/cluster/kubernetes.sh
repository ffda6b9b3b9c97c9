#!/bin/bash

export ETUDE_BLOCK_END=$(($(date +%s) + 5400))
export TMPDIR="$LOCAL/etude"
mkdir -p "$TMPDIR"
export HF_HOME="$SCRATCH/hf"
export SAID="a \"word\" and \$(date)"
export SEED="0"
module load python/3.11
source ~/venv/bin/activate

python -m train --seed 0
