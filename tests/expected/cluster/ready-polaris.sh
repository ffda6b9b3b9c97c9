#!/bin/bash
#PBS -S /bin/bash
#PBS -N study.gpu1-c1.0
#PBS -o /run/jobs/job.stdout
#PBS -e /run/jobs/job.stderr
#PBS -q debug-scaling
#PBS -A MyProject
#PBS -l select=1:ncpus=32:mem=457764mb:ngpus=4:system=polaris
#PBS -l place=excl
#PBS -l walltime=01:00:00
#PBS -r n
#PBS -m n
#PBS -l filesystems=home:eagle

export ETUDE_BLOCK_END=$(($(date +%s) + 3600))
export TMPDIR="/local/scratch"
mkdir -p "$TMPDIR"
export HF_HUB_OFFLINE="1"
module use /soft/modulefiles
module load conda
conda activate $HOME/etude-env

python -m etude.pilots.pilot /run/pool.spec --block 0
