"""The pipeline that makes nerite's own models: prepare, train, distil, export, evaluate."""
