#!/bin/bash
#PBS -S /bin/bash
#PBS -N study.cpu-c1.0
#PBS -o /run/jobs/job.stdout
#PBS -e /run/jobs/job.stderr
#PBS -l select=1:ncpus=4:mem=7630mb
#PBS -l walltime=01:00:00
#PBS -r n
#PBS -m n

export ETUDE_BLOCK_END=$(($(date +%s) + 3600))

python -m etude.pilots.pilot /run/pool.spec --block 0
