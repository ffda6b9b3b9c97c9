"""Keeps secrets out of everything that is written or shown: logs, events, snapshots, failures, reports, trackers.

Three things are secret: the values of the environment's variables that are named for a secret (`WANDB_API_KEY`,
`PGPASSWORD`, `GITHUB_PAT`), of those that `ETUDE_SECRETS` or a study's `env` marks, and text of a form that nothing but
a secret has (`https://user:password@host`, a token with its issuer's prefix, a private key). Secrets belong into the
environment; a study that holds one is refused.

The time it takes grows with the length of the text and no faster, whatever stands in it; `RedactedStream` needs no more
memory than `REACH` asks for.
"""

from etude.redaction.redactor import HIDDEN as HIDDEN
from etude.redaction.redactor import MARKED as MARKED
from etude.redaction.redactor import Redactor as Redactor
from etude.redaction.redactor import with_marks as with_marks
from etude.redaction.stream import RedactedStream as RedactedStream
