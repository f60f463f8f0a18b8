"""The group that all commands are in: what it refuses."""

from __future__ import annotations

import math
from typing import Any

import typer
from typer.core import TyperGroup


class Commands(TyperGroup):
    """Commands whose options refuse NaN and infinity, as in `--seconds nan`."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        for parameter in getattr(command, "params", ()):
            parameter.callback = parameter.callback or _finite
        return command


def _finite(_ctx: Any, parameter: Any, value: Any) -> Any:
    for one in value if isinstance(value, list | tuple) else (value,):
        if isinstance(one, float) and not math.isfinite(one):
            raise typer.BadParameter(f"{one} is not a finite number", param=parameter)
    return value
