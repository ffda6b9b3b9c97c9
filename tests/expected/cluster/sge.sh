#!/bin/bash
#$ -S /bin/bash
#$ -N heads_seed_0
#$ -o /run/heads.$TASK_ID.out
#$ -e /run/heads.$TASK_ID.err
#$ -q long
#$ -P def-me
#$ -pe smp 4
#$ -l h_vmem=2048M
#$ -l gpu=2
#$ -l h_rt=01:30:00
#$ -l exclusive=true
#$ -r y
#$ -t 1-10 -tc 3
#$ -hold_jid 41,42
#$ -M me@example.org
#$ -m bea

export ETUDE_BLOCK_END=$(($(date +%s) + 5400))
export ETUDE_TASK=$((SGE_TASK_ID - 1))
export TMPDIR="$LOCAL/etude"
mkdir -p "$TMPDIR"
export HF_HOME="$SCRATCH/hf"
export SAID="a \"word\" and \$(date)"
export SEED="0"
module load python/3.11
source ~/venv/bin/activate

python -m train --seed 0
