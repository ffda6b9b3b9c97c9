#!/bin/bash
#BSUB -J "heads_seed_0[1-10]%3"
#BSUB -o /run/heads.%I.out
#BSUB -e /run/heads.%I.err
#BSUB -q long
#BSUB -P def-me
#BSUB -n 4
#BSUB -R "span[ptile=4]"
#BSUB -M 8192MB
#BSUB -gpu "num=2/host"
#BSUB -W 01:30
#BSUB -x
#BSUB -r
#BSUB -w 'ended(41) && ended(42)'
#BSUB -u me@example.org
#BSUB -B
#BSUB -N

export ETUDE_BLOCK_END=$(($(date +%s) + 5400))
export ETUDE_TASK=$((LSB_JOBINDEX - 1))
export TMPDIR="$LOCAL/etude"
mkdir -p "$TMPDIR"
export HF_HOME="$SCRATCH/hf"
export SAID="a \"word\" and \$(date)"
export SEED="0"
module load python/3.11
source ~/venv/bin/activate

python -m train --seed 0
