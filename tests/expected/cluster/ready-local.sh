#!/bin/bash

export ETUDE_BLOCK_END=$(($(date +%s) + 3600))

python -m etude.pilots.pilot /run/pool.spec --block 0
