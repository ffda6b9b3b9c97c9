"""What a step touches when it runs: files, code, variables, programs and random generators."""
