"""What the readings come to: the ledger of a run and its windows, its cost, carbon, and the costs of many as one."""
