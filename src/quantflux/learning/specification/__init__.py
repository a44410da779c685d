"""What a model is: its kind and parameters, what it sees, what it foretells, of which names, and how it is judged.

A model file is TOML or YAML (`read_specification`), or a plain mapping (`specification_of`); both are checked as a
whole before any data are read, and every problem is named with its key. `ModelSpec.to_dict` gives the same back in a
form that JSON can hold, which is what is stored beside a trained model.
"""

from quantflux.learning.specification.files import (
    example,
    read_specification,
    specification_of,
    write_specification,
)
from quantflux.learning.specification.model import Kind, Member, ModelSpec, Task
from quantflux.learning.specification.sections import (
    FeatureSpec,
    LabelSpec,
    SplitSpec,
    UniverseSpec,
    WeightSpec,
)
from quantflux.learning.specification.spellings import ID_RULE, is_model_id
from quantflux.learning.specification.v1 import specification_of_v1

__all__ = [
    "ID_RULE",
    "FeatureSpec",
    "Kind",
    "LabelSpec",
    "Member",
    "ModelSpec",
    "SplitSpec",
    "Task",
    "UniverseSpec",
    "WeightSpec",
    "example",
    "is_model_id",
    "read_specification",
    "specification_of",
    "specification_of_v1",
    "write_specification",
]
