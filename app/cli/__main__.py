"""`foyer`, the program: `app/cli/foyer` starts this module."""

from app.cli import program

program.foyer(prog_name="foyer")
