"""Tests with programs that others wrote, as they are installed: servers, browsers, SDKs and generators."""
