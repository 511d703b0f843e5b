"""Tests of `deploy/`: the tool behind `make deploy`, its templates, and what runs on one machine."""
