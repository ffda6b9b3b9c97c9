#!/bin/bash
#SBATCH --job-name=study.gpu1-c1.0
#SBATCH --output=/run/jobs/job.stdout
#SBATCH --error=/run/jobs/job.stderr
#SBATCH --account=def-someuser
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=12
#SBATCH --mem=114441M
#SBATCH --gpus-per-node=a100:1
#SBATCH --time=03:00:00
#SBATCH --no-requeue
#SBATCH --mail-user=someuser@example.org
#SBATCH --mail-type=FAIL

export ETUDE_BLOCK_END=$(($(date +%s) + 10800))
export TMPDIR="$SLURM_TMPDIR"
mkdir -p "$TMPDIR"
export HF_HOME="$SCRATCH/huggingface"
export HF_HUB_OFFLINE="1"
module load StdEnv/2023 python/3.11 cuda arrow
source $HOME/etude-env/bin/activate

python -m etude.pilots.pilot /run/pool.spec --block 0
