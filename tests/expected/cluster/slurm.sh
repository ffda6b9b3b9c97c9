#!/bin/bash
#SBATCH --job-name=heads_seed_0
#SBATCH --output=/run/heads.%a.out
#SBATCH --error=/run/heads.%a.err
#SBATCH --partition=gpu
#SBATCH --account=def-me
#SBATCH --qos=high
#SBATCH --constraint=a100|v100
#SBATCH --reservation=course
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=8192M
#SBATCH --gpus-per-node=2
#SBATCH --time=01:30:00
#SBATCH --requeue
#SBATCH --exclusive
#SBATCH --array=0-9%3
#SBATCH --dependency=afterany:41:42
#SBATCH --mail-user=me@example.org
#SBATCH --mail-type=BEGIN,END,FAIL

export ETUDE_BLOCK_END=$(($(date +%s) + 5400))
export ETUDE_TASK=$SLURM_ARRAY_TASK_ID
export TMPDIR="$LOCAL/etude"
mkdir -p "$TMPDIR"
export HF_HOME="$SCRATCH/hf"
export SAID="a \"word\" and \$(date)"
export SEED="0"
module load python/3.11
source ~/venv/bin/activate

python -m train --seed 0
