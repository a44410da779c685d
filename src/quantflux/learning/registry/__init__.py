"""Keeps trained models: versions that never change, their stages, and a gate before which no file is read.

A model's folder holds the predictor's own files, `scaler.json`, `spec.json`, `reference.json` (how the features
looked), `canary.json` (some cells and what was predicted of them), and `manifest.json`, which names them all with their
SHA-256. No file can hold a program: see `contents.py`. What is read passes `gate.py` first.
"""

from quantflux.learning.registry.loaded import LoadedModel, Serving
from quantflux.learning.registry.records import (
    CANDIDATE,
    PRODUCTION,
    RETIRED,
    STAGES,
    ModelVersion,
    StageChange,
    check_model_id,
)
from quantflux.learning.registry.reference import Reference, canaries_of, reference_of
from quantflux.learning.registry.registry import ModelRegistry
from quantflux.learning.registry.training import Training, feature_hash, plain
from quantflux.learning.registry.trial import Limits

__all__ = [
    "CANDIDATE",
    "PRODUCTION",
    "RETIRED",
    "STAGES",
    "Limits",
    "LoadedModel",
    "ModelRegistry",
    "ModelVersion",
    "Reference",
    "Serving",
    "StageChange",
    "Training",
    "canaries_of",
    "check_model_id",
    "feature_hash",
    "plain",
    "reference_of",
]
