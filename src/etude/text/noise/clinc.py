"""What people say around a command to an assistant: no punctuation, no capitals, and no word of what assistants do.

Greetings and thanks are left out on purpose: among the classes of CLINC150 are these very acts.
"""

from __future__ import annotations

from etude.text.noise.pools import Family, Pools

TRAIN = Pools(
    openers=(
        "okay",
        "so um",
        "listen",
        "alright so",
        "quick one",
        "let's see",
        "here goes",
        "hmm okay",
        "um so yeah",
    ),
    context=(
        "i am kind of busy here",
        "so i was thinking",
        "my hands are full",
        "i've been meaning to do this",
        "we were just chatting about it",
        "i'm here with a buddy",
        "it just came to me",
    ),
    asides=("you know", "like", "if that makes sense", "i guess", "or whatever", "more or less", "and stuff"),
    corrections=("or wait", "i mean", "um actually", "oh scratch that", "sorry i meant", "uh let me think", "oops"),
    justifications=(
        "because i keep forgetting",
        "i just want to be sure",
        "cause i have no clue",
        "it's been on my mind",
        "since my friend wants to know",
        "i can't figure it out",
        "i'm curious is all",
    ),
    urgency=(
        "pretty soon if you can",
        "i'm in a rush",
        "kinda quick",
        "i don't have long",
        "right away would be nice",
        "like really fast",
    ),
    follow_ups=(
        "can you do that for me",
        "do you have any idea",
        "what do you think",
        "is that okay",
        "let me know",
        "got it",
        "think you can manage",
    ),
    closers=(
        "please",
        "pretty please",
        "that'd be great",
        "when you get a sec",
        "whenever you're ready",
        "be a pal",
    ),
)

TEST = Pools(
    openers=(
        "kindly",
        "pardon me",
        "now then",
        "if i may",
        "excuse me",
        "with your permission",
        "dear assistant",
    ),
    context=(
        "having considered the matter",
        "following a brief discussion",
        "after due reflection",
        "being new to this device",
        "while you are attentive",
        "as a matter of interest",
        "in light of recent events",
    ),
    asides=(
        "so to speak",
        "as it were",
        "to put it loosely",
        "to my knowledge",
        "strictly speaking",
        "presumably",
    ),
    corrections=(
        "or rather",
        "stated properly",
        "that is to say",
        "better put",
        "allow me to rephrase",
        "precisely worded",
    ),
    justifications=(
        "as i remain uncertain",
        "for i wish certainty",
        "given that nobody could explain",
        "so as to avoid confusion",
        "in order to settle the question",
        "since i require clarity",
    ),
    urgency=(
        "without undue delay",
        "as promptly as possible",
        "the matter is rather pressing",
        "at the earliest opportunity",
        "i must depart shortly",
    ),
    follow_ups=(
        "would you advise",
        "could that be arranged",
        "is such a thing feasible",
        "may i expect an answer",
        "are you able to assist",
        "how would you proceed",
    ),
    closers=(
        "at your convenience",
        "should you agree",
        "i would appreciate it",
        "as you prefer",
        "by all means",
        "with care",
        "if convenient",
    ),
)

CLINC = Family(train=TRAIN, test=TEST, stop="")
