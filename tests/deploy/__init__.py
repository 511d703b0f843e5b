"""Tests of `deploy/template.yaml`."""
