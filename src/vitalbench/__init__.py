"""A benchmark and reproducibility harness for biomedical deep learning.

Data flow down, one room a stage: config, data, split, models, train, evaluate, measure, cost, claims, report. A stage takes
paths and a typed configuration and leaves files; none imports a later one (docs/ARCHITECTURE.md).
"""

__version__ = "0.1.0"
