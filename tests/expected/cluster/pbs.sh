#!/bin/bash
#PBS -S /bin/bash
#PBS -N heads_seed_0
#PBS -o /run/heads.^array_index^.out
#PBS -e /run/heads.^array_index^.err
#PBS -q long
#PBS -A def-me
#PBS -l select=1:ncpus=4:mem=8192mb:ngpus=2:system=polaris
#PBS -l place=excl
#PBS -l walltime=01:30:00
#PBS -r y
#PBS -J 0-9%3
#PBS -W depend=afterany:41:42
#PBS -M me@example.org
#PBS -m bea

export ETUDE_BLOCK_END=$(($(date +%s) + 5400))
export ETUDE_TASK=$PBS_ARRAY_INDEX
export TMPDIR="$LOCAL/etude"
mkdir -p "$TMPDIR"
export HF_HOME="$SCRATCH/hf"
export SAID="a \"word\" and \$(date)"
export SEED="0"
module load python/3.11
source ~/venv/bin/activate

python -m train --seed 0
