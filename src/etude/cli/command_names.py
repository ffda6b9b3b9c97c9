"""The commands with what each does: `etude --help` imports none of them."""

from __future__ import annotations

COMMANDS = {
    "init": "Make a working project: a study, a step of your own with its test.",
    "run": "Run what is not yet done of a study, and show its results.",
    "plan": "Show what would run, what is there already, and why. Runs nothing.",
    "graph": "Draw a study's nodes and what reads what, by state and cost. Runs nothing.",
    "show": "Look at the records of a study, or at the results of one node.",
    "open": "Start a Python shell with a node's value at hand, or print the lines that load it in a notebook.",
    "report": "Write what studies found into one HTML file that works offline. Runs nothing.",
    "track": "Tell trackers of every variant that is stored. Runs nothing; what they know already is not told again.",
    "watch": "Follow a run from another terminal: what runs, what is done, how long it will take.",
    "status": (
        "How runs stand, from any machine that sees the project: what is done, what runs, which jobs wait and why."
    ),
    "cancel": (
        "Stop a run: what waits is taken back, what runs goes on to its next checkpoint. The same command runs it on."
    ),
    "accept": "Adopt the old results of a node for a code change that you vouch for. The record says so.",
    "verify": (
        "Check every stored result against its checksums; damaged ones are set aside and computed anew when needed."
    ),
    "gc": "Delete stored results that no recorded run needs.",
    "meter": "Run any command and tell what it cost: time, memory, energy, carbon. Its exit code is kept.",
    "schema": "Print the JSON Schema of study files.",
    "doctor": "Tell what this machine has: hardware, meters, backends, versions; what is missing and how to get it.",
    "top": "Show the best points of a study, replicates averaged. Of several objectives, the Pareto front.",
    "cluster": "Profiles of clusters: which there are, what they submit, whether they work.",
    "search": "Search a study whose vary holds a search: `etude search STUDY`.",
}
"""Name → the first line of its help, in the order of `etude --help`. Its module has `EXAMPLES`, which follow there."""
