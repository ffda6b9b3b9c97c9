"""Study files → Study: the only reader of YAML, JSON, Jsonnet and environment variables."""

from etude.config.load import Reading as Reading
from etude.config.load import load_study as load_study
from etude.config.load import read_study as read_study
from etude.config.schema import json_schema as json_schema
