"""Commands as steps: a script that is run as it is, with what it reads and writes declared."""
