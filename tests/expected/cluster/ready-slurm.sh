#!/bin/bash
#SBATCH --job-name=study.cpu-c1.0
#SBATCH --output=/run/jobs/job.stdout
#SBATCH --error=/run/jobs/job.stderr
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=7630M
#SBATCH --time=01:00:00
#SBATCH --no-requeue

export ETUDE_BLOCK_END=$(($(date +%s) + 3600))

python -m etude.pilots.pilot /run/pool.spec --block 0
