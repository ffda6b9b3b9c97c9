"""The study file as a whole: the keys of the study's specs, and those that its reader takes up. See `etude.keys`."""

from __future__ import annotations

from typing import Final

from etude.graph.pipeline import NAME, SOURCE_TEXT, NodeSpec
from etude.keys import (
    Anything,
    Either,
    FileKey,
    Flag,
    JsonSchema,
    ListOf,
    MappingOf,
    Partial,
    Section,
    Text,
    section_of,
)
from etude.study.study import STUDY_NAME, Study

NODE: Final = section_of(NodeSpec)
PROFILE: Final = Section(what="a profile", keys=section_of(Study).keys)

_TARGET: Final = Text(expected="a param, or a dotted path")
_BINDING: Final = Either(
    expected="a param, a dotted path, or a mapping with sets and one_of, or secret",
    text=_TARGET,
    mapping=Section(
        what="a variable of the environment",
        keys={
            "sets": FileKey("The param or dotted path that it sets.", "pooling", type=_TARGET),
            "one_of": FileKey(
                "What it may be. Anything else is a fault.", ["mean", "max"], type=ListOf(item=Anything(), least=1)
            ),
            "secret": FileKey("Whether its value is shown and written nowhere. It sets nothing.", True, type=Flag()),
        },
    ),
)

STUDY: Final = Section(
    what="a study",
    keys={
        **PROFILE.keys,
        "env": FileKey(
            "Environment variable → param or dotted path that it sets, for cluster scripts.",
            {"SEED": "seed", "POOL": {"sets": "pooling", "one_of": ["mean", "max"]}, "LOGIN": {"secret": True}},
            type=MappingOf(item=_BINDING, names=NAME, called="an environment variable's name"),
        ),
        "profiles": FileKey(
            "Named variations of the whole study, laid over it when chosen.",
            {"tiny": {"params": {"seed": 1}, "place": {"workers": 1}}},
            type=MappingOf(
                item=Partial(name="profile", value_type=PROFILE), names=STUDY_NAME, called="a profile's name"
            ),
        ),
        "extends": FileKey(
            "YAML and JSON studies that this one is laid over, relative to this file; later ones over earlier.",
            "base.yaml",
            type=Either(
                expected="a file, or a list of files",
                text=Text(expected="a file"),
                items=ListOf(item=Text(expected="a file"), least=1),
            ),
        ),
    },
    elsewhere=section_of(Study).elsewhere,
)


def json_schema() -> JsonSchema:
    """JSON Schema (2020-12) of the study file, with a description of every key, for editors to check and complete."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "étude study",
        "description": "One study: params, pipeline, vary, collect, placement.",
        **STUDY.schema(),
        "anyOf": [{"required": ["pipeline"]}, {"required": ["extends"]}],
        "$defs": {
            "source": SOURCE_TEXT.value_type.schema(),
            "node": NODE.schema(),
            "partial-node": NODE.schema(partial=True),
            "profile": PROFILE.schema(partial=True),
        },
    }
